import { createGrpcTransport } from "@connectrpc/connect-node";
import type { QueryResultRow } from "pg";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { type AppDatabase, openAppDatabase } from "./app-database.ts";
import { type BackendDatabase, openBackendDatabase } from "./backend-database.ts";
import { type Clients, createKey, grpcClients, openSite, type TestSite } from "./builders.ts";
import { openTestDatabase } from "./database.ts";
import { type Guide, openGuide } from "./guide.ts";
import { createServiceKeys, startService, type TestService } from "./service.ts";
import { pathWithSignet } from "./signet-command.ts";

/** As the guide has her. */
export const ADA = { email: "ada@example.com", password: "four quiet otters swim" };

/** Signet and the databases of three backends, each its own. */
export interface BackendStory extends AsyncDisposable {
  readonly site: TestSite;
  readonly operator: Clients;
  readonly guide: Guide;
  /** What the guide's lines are run with, and the backends. */
  readonly environment: Record<string, string>;
  /** Of the backend that follows the stream. */
  readonly database: BackendDatabase;
  /** Of one that is told by a webhook. */
  readonly hooked: AppDatabase;
  /** Of one that a job fills. */
  readonly nightly: AppDatabase;
  /** Asks the first backend's database, past all of its accounts. */
  rows(statement: string, values?: readonly unknown[]): Promise<QueryResultRow[]>;
  /** Ends Signet as a crash would. */
  crash(): Promise<void>;
  /** Starts it again. */
  restart(): Promise<void>;
}

/** Starts Signet, with Ada as its only User. Dispose of it at the end. */
export async function openBackendStory(): Promise<BackendStory> {
  await using opened = new AsyncDisposableStack();
  const use = async <T extends AsyncDisposable>(opening: Promise<T>) => opened.use(await opening);
  const signetDatabase = await use(openTestDatabase());
  const [database, hooked, nightly] = await Promise.all([
    use(openBackendDatabase()),
    use(openAppDatabase()),
    use(openAppDatabase()),
  ]);
  const keys = createServiceKeys();
  const settings = { databaseUrl: signetDatabase.appUrl, keys };
  const env = { SIGNET_INTERNAL_HOSTS: "127.0.0.1" };
  let service: TestService = await startService({ ...settings, env });
  opened.defer(() => service[Symbol.asyncDispose]());
  const { url, port } = service;
  const operator = grpcClients(url, keys.operatorKey);
  const site = await openSite(createGrpcTransport({ baseUrl: url }), keys.operatorKey);
  await register(site.backend, ADA);
  const scopes = [Scope.AUTH, Scope.SYNC];
  const environment = {
    PATH: await pathWithSignet(),
    SIGNET_URL: url,
    SIGNET_KEY: await createKey(operator, site.siteId, { scopes }),
    SIGNET_ADMIN_KEY: keys.operatorKey,
    DATABASE_URL: database.backendUrl,
    MIRROR_DATABASE_URL: database.url,
    REPORTS_DATABASE_URL: nightly.url,
  };
  const all = opened.move();
  return {
    site,
    operator,
    environment,
    database,
    hooked,
    nightly,
    guide: openGuide("master-and-mirror", environment),
    async rows(statement, values = []) {
      return (await database.pool.query(statement, [...values])).rows;
    },
    async crash() {
      await service.stop("SIGKILL");
    },
    async restart() {
      service = await startService({ ...settings, env, port });
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Registers somebody who has read the mail. */
export async function register(
  { auth }: Clients,
  person: { readonly email: string; readonly password: string },
): Promise<string> {
  const delivery = Delivery.RETURN_TOKEN;
  const { userId, oneTimeToken } = await auth.register({ ...person, delivery });
  await auth.verifyEmail({ token: oneTimeToken?.token ?? "" });
  return userId;
}
