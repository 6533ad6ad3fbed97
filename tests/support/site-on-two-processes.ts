import { createGrpcTransport } from "@connectrpc/connect-node";
import { type Clients, grpcClients, openSite, type TestSite } from "./builders.ts";
import { openTestDatabase, type TestDatabase } from "./database.ts";
import { createServiceKeys, startService, type TestService } from "./service.ts";

/** Two processes of the service on one database, with one Site. */
export interface SiteOnTwoProcesses extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly services: readonly [TestService, TestService];
  readonly operator: Clients;
  readonly site: TestSite;
  /** The Site's backend, at each process. */
  readonly backends: readonly [Clients, Clients];
}

/** So many calls from one address are a flood to Signet, but not to these tests. */
const env = { SIGNET_RATE_LIMIT_PERCENT: "100000", LOG_LEVEL: "error" };

/** Starts both processes and opens a Site. Dispose of it at the end. */
export async function openSiteOnTwoProcesses({
  secondEnv = {},
}: {
  /** Further variables of the second process alone. */
  readonly secondEnv?: Readonly<Record<string, string>>;
} = {}): Promise<SiteOnTwoProcesses> {
  const database = await openTestDatabase();
  const options = { databaseUrl: database.appUrl, keys: createServiceKeys(), env };
  const services = await Promise.all([
    startService(options),
    startService({ ...options, env: { ...env, ...secondEnv } }),
  ]);
  const [{ url, operatorKey }] = services;
  const site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
  return {
    database,
    services,
    operator: grpcClients(url, operatorKey),
    site,
    backends: clientsOfBoth(services, site.key),
    async [Symbol.asyncDispose]() {
      await Promise.all(services.map((service) => service[Symbol.asyncDispose]()));
      await database[Symbol.asyncDispose]();
    },
  };
}

/** Makes clients of both processes, with one credential. */
export function clientsOfBoth(
  [first, second]: readonly [TestService, TestService],
  credential: string,
): readonly [Clients, Clients] {
  return [grpcClients(first.url, credential), grpcClients(second.url, credential)];
}

/** Makes a call many times at once, at each process in turn. */
export function atOnce<T>(
  [first, second]: readonly [Clients, Clients],
  times: number,
  call: (clients: Clients) => Promise<T>,
): Promise<T[]> {
  return Promise.all(Array.from({ length: times }, (_, n) => call(n % 2 === 0 ? first : second)));
}

/** Works through a list, on so many at a time, and returns the results in its order. */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  parallel: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const rest = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of rest) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return results;
}
