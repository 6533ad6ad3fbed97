import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { type Clients, createKey, createSite, grpcClients } from "./builders.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "./database.ts";
import { createServiceKeys, type ServiceKeys, startService, type TestService } from "./service.ts";

/** A Signet with a database of its own, and one Site. */
export interface OwnSignet extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly keys: ServiceKeys;
  /** The processes that run at present. */
  readonly services: readonly TestService[];
  readonly operator: Clients;
  readonly siteId: string;
  readonly backend: Clients;
  /** Makes a key with which another Signet may ask. */
  peerKey(scopes?: readonly Scope[], userFields?: readonly string[]): Promise<string>;
  /** Starts it anew, with these Peers; more processes share its database. */
  restart(peers: readonly object[], processes?: number, port?: number): Promise<void>;
  /** Stops every process. */
  stop(): Promise<void>;
}

/** So many calls from one address are a flood to Signet, but not to these tests. */
const env = { SIGNET_RATE_LIMIT_PERCENT: "100000", SIGNET_INTERNAL_HOSTS: "127.0.0.1,localhost" };

/** Starts a Signet that has no Peers yet. */
export async function openOwnSignet(): Promise<OwnSignet> {
  const database = await openTestDatabase();
  const keys = createServiceKeys();
  const start = (peers: readonly object[], port?: number) =>
    startService({
      databaseUrl: database.appUrl,
      keys,
      ...(port !== undefined && { port }),
      env: { ...env, SIGNET_PEERS: peers.length === 0 ? "" : JSON.stringify(peers) },
    });
  let services = [await start([])];
  const stop = async () => {
    await Promise.all(services.map((service) => service.stop()));
    services = [];
  };
  const urlOf = () => services[0]?.url ?? "";
  const operator = () => grpcClients(urlOf(), keys.operatorKey);
  const siteId = await createSite(operator());
  const key = await createKey(operator(), siteId);
  return {
    database,
    keys,
    siteId,
    get services() {
      return services;
    },
    get operator() {
      return operator();
    },
    get backend() {
      return grpcClients(urlOf(), key);
    },
    peerKey: (scopes = [Scope.PEER], userFields = []) =>
      createKey(operator(), siteId, { scopes: [...scopes], userFields: [...userFields] }),
    async restart(peers, processes = 1, port?: number) {
      await stop();
      services = await Promise.all(Array.from({ length: processes }, () => start(peers, port)));
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** Makes the entry of a Peer, which asks one Signet about Users who are unknown at another. */
export async function peerEntry(
  here: Pick<OwnSignet, "siteId">,
  there: OwnSignet,
  more: Readonly<Record<string, unknown>> = {},
): Promise<object> {
  const url = there.services[0]?.url;
  return { name: "shop", url, key: await there.peerKey(), site_id: here.siteId, ...more };
}

/** Counts the Users with an address. */
export async function countUsers({ database }: OwnSignet, email: string): Promise<number> {
  return await countRows(database.adminUrl, `signet.users where email = '${email}'`);
}

/** Counts the rows of a table, or of a part of it. */
export async function countRows(adminUrl: string, from: string): Promise<number> {
  const statement = `select count(*)::integer as n from ${from}`;
  const [row] = await runAsAdmin<{ readonly n: number }>(adminUrl, statement);
  return row?.n ?? -1;
}

/** Lets nobody count a guess for a time, and so delays the answers to Peers. */
export async function holdGuesses({ database }: OwnSignet, seconds: number): Promise<void> {
  const lock = "lock table signet.guess_counts in exclusive mode";
  await runAsAdmin(database.adminUrl, `begin; ${lock}; select pg_sleep(${seconds}); commit`);
}

/** Signs in, and returns who has. */
export async function logInAt(
  { auth }: Pick<Clients, "auth">,
  { email, password }: { readonly email: string; readonly password: string },
): Promise<{ readonly userId: string }> {
  const { result } = await auth.login({ identifier: { case: "email", value: email }, password });
  if (result.case !== "session") throw new Error(`the login answered with ${result.case}`);
  return { userId: result.value.session?.userId ?? "" };
}
