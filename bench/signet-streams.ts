import type { QueryConfig, QueryResultRow } from "pg";
import { saveNewUser, write } from "../src/domain/write.ts";
import { newId, type UserId } from "../src/model/id.ts";
import { newUser } from "../src/model/user.ts";
import type { Database } from "../src/store/database.ts";
import { firstVersion } from "../src/store/users.ts";
import { answerParent } from "./child-process.ts";
import { monotonicMs } from "./monotonic-clock.ts";
import { type OwnService, startOwnService } from "./own-service.ts";
import { residentBytes } from "./resident-bytes.ts";
import {
  BATCH_CHANGES,
  type ServedStreams,
  type StreamOrder,
  type StreamReply,
} from "./stream-server.ts";

/** Says when the reader has got the next batch from the database. */
let onRead = (_readMs: number): void => undefined;

let running: OwnService | undefined;

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
async function writeBatch({ service: { deps }, siteId }: OwnService): Promise<number> {
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

/** Notes when the Changes of a batch come from the database: with their commit, or by a step. */
function noteReads(db: Database): Database {
  const changeSite: Database["changeSite"] = async (site, work) => {
    const changed = await db.changeSite(site, work);
    if ((changed.numbered?.rows.length ?? 0) >= BATCH_CHANGES) onRead(monotonicMs());
    return changed;
  };
  const query = async <Row extends QueryResultRow>(statement: QueryConfig) => {
    const result = await db.reader.query<Row>(statement);
    if (result.rows.length >= BATCH_CHANGES) onRead(monotonicMs());
    return result;
  };
  return { ...db, changeSite, reader: { query } };
}

async function start(served: ServedStreams): Promise<StreamReply> {
  if (served.contender === "bare") throw new TypeError("this is Signet");
  const { dataDir, contender } = served;
  const adapterOnly = contender === "stock";
  running = await startOwnService(resources, { dataDir, adapterOnly, observe: noteReads });
  const { url, siteKey } = running;
  return { address: { url, authorization: `Bearer ${siteKey}` } };
}
