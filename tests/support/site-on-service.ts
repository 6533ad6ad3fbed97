import { createGrpcTransport } from "@connectrpc/connect-node";
import { type Clients, grpcClients, openSite, type TestSite } from "./builders.ts";
import { openTestDatabase, type TestDatabase } from "./database.ts";
import { startService, type TestService } from "./service.ts";

/** The real service on a database of its own, with one Site. */
export interface SiteOnService extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly service: TestService;
  readonly operator: Clients;
  readonly site: TestSite;
}

/** Starts the service, with further variables, and opens a Site. Dispose of it at the end. */
export async function openSiteOnService(
  env: Readonly<Record<string, string>> = {},
): Promise<SiteOnService> {
  const database = await openTestDatabase();
  const service = await startService({ databaseUrl: database.appUrl, env });
  const operator = grpcClients(service.url, service.operatorKey);
  const transport = createGrpcTransport({ baseUrl: service.url });
  const site = await openSite(transport, service.operatorKey);
  return {
    database,
    service,
    operator,
    site,
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}
