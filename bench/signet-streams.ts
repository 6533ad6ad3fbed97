import type { QueryConfig, QueryResultRow } from "pg";
import { parseConfig } from "../src/config.ts";
import { loadLocalKeys } from "../src/crypto/local-keys.ts";
import { saveNewUser, write } from "../src/domain/write.ts";
import { createLogger } from "../src/log.ts";
import { newId, parseId, type SiteId, type UserId } from "../src/model/id.ts";
import { newUser } from "../src/model/user.ts";
import { createReadiness } from "../src/server/readiness.ts";
import { createService, type Service } from "../src/service.ts";
import { createDatabase, type Database } from "../src/store/database.ts";
import { startEmbeddedPostgres } from "../src/store/embedded-postgres.ts";
import { migrate } from "../src/store/migrate.ts";
import { ensureDatabase, prepareRoles } from "../src/store/roles.ts";
import { firstVersion } from "../src/store/users.ts";
import { createSiteKey } from "./bench-service.ts";
import { answerParent } from "./child-process.ts";
import { monotonicMs } from "./monotonic-clock.ts";
import { residentBytes } from "./resident-bytes.ts";
import {
  BATCH_CHANGES,
  type ServedStreams,
  type StreamOrder,
  type StreamReply,
} from "./stream-server.ts";

/** Signet in this process, so that it can say when it has read a batch. */
interface Signet {
  readonly service: Service;
  readonly siteId: SiteId;
}

/** Says when the reader has got the next batch from the database. */
let onRead = (_readMs: number): void => undefined;

let running: Signet | undefined;

const resources = new AsyncDisposableStack();
process.on("SIGTERM", () => {
  resources.disposeAsync().then(
    () => process.exit(),
    () => process.exit(1),
  );
});

answerParent(obey);

async function obey(order: StreamOrder): Promise<StreamReply> {
  if (order.type === "start") return await start(order.served);
  if (order.type === "measure memory") return { residentBytes: await residentBytes() };
  if (running === undefined) throw new Error("it has not been started");
  return { writtenMs: await writeBatch(running) };
}

/** Creates Users in one transaction; returns when the reader had got their Changes. */
async function writeBatch({ service: { deps }, siteId }: Signet): Promise<number> {
  const { promise: read, resolve } = Promise.withResolvers<number>();
  onRead = resolve;
  await write(deps, siteId, async (tx) => {
    const version = await firstVersion(tx, siteId);
    for (let n = 0; n < BATCH_CHANGES; n += 1) {
      const createTime = new Date();
      const id = newId<UserId>(createTime);
      const user = newUser({ id, siteId, version, createTime, displayName: "Ada Lovelace" });
      await saveNewUser(deps, tx, user);
    }
  });
  return await read;
}

/** Notes when the Changes of a batch come from the database; only the reader asks for so many. */
function noteReads(db: Database): Database {
  const acrossSites = async <Row extends QueryResultRow>(statement: QueryConfig) => {
    const result = await db.validation.acrossSites<Row>(statement);
    if (result.rows.length >= BATCH_CHANGES) onRead(monotonicMs());
    return result;
  };
  return { ...db, validation: { ...db.validation, acrossSites } };
}

async function start(served: ServedStreams): Promise<StreamReply> {
  if (served.contender === "bare") throw new TypeError("this is Signet");
  const config = parseConfig({ SIGNET_DATA_DIR: served.dataDir, LOG_LEVEL: "warn" });
  const log = createLogger(config.logLevel);
  const postgres = resources.use(await startEmbeddedPostgres({ dataDir: served.dataDir, log }));
  const urls = await prepareRoles(await ensureDatabase(postgres.adminUrl, "signet"));
  const keys = await loadLocalKeys(served.dataDir);
  const { databasePoolMax: poolMax } = config;
  const db = noteReads(resources.use(createDatabase({ ...urls, poolMax, log })));
  const readiness = createReadiness([]);
  const adapterOnly = served.contender === "stock";
  const options = { config: { ...config, port: 0 }, db, readiness, log, adapterOnly, ...keys };
  const service = await createService(options);
  await migrate({ ownerUrl: urls.ownerUrl, log });
  await service.startReader();
  resources.defer(() => service.stopReader());
  const { port } = await service.server.listen();
  resources.defer(() => service.server.drain(0));
  const url = `http://127.0.0.1:${port}`;
  const { siteId, secret } = await createSiteKey(url, keys.operatorKey.reveal());
  running = { service, siteId: parseId<SiteId>(siteId, "site_id") };
  return { address: { url, authorization: `Bearer ${secret}` } };
}
