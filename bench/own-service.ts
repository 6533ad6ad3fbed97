import { parseConfig } from "../src/config.ts";
import { loadLocalKeys } from "../src/crypto/local-keys.ts";
import { createLogger } from "../src/log.ts";
import { parseId, type SiteId } from "../src/model/id.ts";
import { createReadiness } from "../src/server/readiness.ts";
import { createService, type Service } from "../src/service.ts";
import { createDatabase, type Database } from "../src/store/database.ts";
import { startEmbeddedPostgres } from "../src/store/embedded-postgres.ts";
import { migrate } from "../src/store/migrate.ts";
import { ensureDatabase, prepareRoles } from "../src/store/roles.ts";
import { createSiteKey } from "./bench-service.ts";

/** A Signet in the bench's own process, for what no RPC tells or does. */
export interface OwnService {
  readonly service: Service;
  readonly siteId: SiteId;
  readonly url: string;
  readonly siteKey: string;
  /** The superuser's, to the database `postgres`. */
  readonly adminUrl: string;
}

/** How it is to be made. */
export interface OwnServiceOptions {
  readonly dataDir: string;
  /** Whether Connect's adapter serves everything. */
  readonly adapterOnly?: boolean;
  /** Puts something between the service and its database. */
  readonly observe?: (db: Database) => Database;
}

/** Starts a service with a PostgreSQL of its own, and makes a Site. */
export async function startOwnService(
  resources: AsyncDisposableStack,
  { dataDir, adapterOnly = false, observe = (db) => db }: OwnServiceOptions,
): Promise<OwnService> {
  const config = parseConfig({ SIGNET_DATA_DIR: dataDir, LOG_LEVEL: "error" });
  const log = createLogger(config.logLevel);
  const { adminUrl } = resources.use(await startEmbeddedPostgres({ dataDir, log }));
  const urls = await prepareRoles(await ensureDatabase(adminUrl, "signet"));
  const keys = await loadLocalKeys(dataDir);
  const { databasePoolMax: poolMax } = config;
  const db = observe(resources.use(createDatabase({ ...urls, poolMax, log })));
  const readiness = createReadiness([]);
  const options = { config: { ...config, port: 0 }, db, readiness, log, adapterOnly, ...keys };
  const service = await createService(options);
  await migrate({ ownerUrl: urls.ownerUrl, log });
  await service.startReader();
  resources.defer(() => service.stopReader());
  const { port } = await service.server.listen();
  resources.defer(() => service.server.drain(0));
  const url = `http://127.0.0.1:${port}`;
  const created = await createSiteKey(url, keys.operatorKey.reveal());
  const siteId = parseId<SiteId>(created.siteId, "site_id");
  return { service, siteId, url, siteKey: created.secret, adminUrl };
}
