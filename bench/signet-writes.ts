import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "pg";
import { pino } from "pino";
import { saveNewUser, write } from "../src/domain/write.ts";
import { newId, type UserId } from "../src/model/id.ts";
import { newUser } from "../src/model/user.ts";
import { withDirectClient } from "../src/store/direct-client.ts";
import { startEmbeddedPostgres } from "../src/store/embedded-postgres.ts";
import { withDatabase } from "../src/store/roles.ts";
import { firstVersion } from "../src/store/users.ts";
import { answerParent } from "./child-process.ts";
import { type OwnService, startOwnService } from "./own-service.ts";
import {
  type Commit,
  type Pace,
  type WriteOrder,
  type WriteReply,
  YARDSTICK_CHANNEL,
} from "./write-orders.ts";

/** As many connections as the service has for calls, for the yardstick too. */
const WRITERS = 16;

/** One who writes: returns the id of what was written once the commit is answered. */
interface Writer {
  write(): Promise<string>;
  /** Returns when each was committed. */
  commitsOf(ids: readonly string[]): Promise<readonly Commit[]>;
}

let writers: Readonly<Record<"signet" | "bare", Writer>> | undefined;

const resources = new AsyncDisposableStack();
process.on("SIGTERM", () => {
  resources.disposeAsync().then(
    () => process.exit(),
    () => process.exit(1),
  );
});

answerParent(obey);

async function obey(order: WriteOrder): Promise<WriteReply> {
  if (order.type === "start") return await start(order.dataDir);
  if (writers === undefined) throw new Error("it has not been started");
  const writer = writers[order.contender];
  return { commits: await writer.commitsOf(await writeAt(order, writer)) };
}

async function start(dataDir: string): Promise<WriteReply> {
  await noteCommitTimes(dataDir);
  const own = await startOwnService(resources, { dataDir });
  const { url, siteKey, adminUrl } = own;
  writers = { signet: createSignetWriter(own), bare: await createBareWriter(adminUrl) };
  return { started: { url, siteKey, adminUrl } };
}

/** Lets PostgreSQL note when each transaction was committed, which it does from its next start. */
async function noteCommitTimes(dataDir: string): Promise<void> {
  const log = pino({ level: "silent" });
  await using postgres = await startEmbeddedPostgres({ dataDir, log });
  await withDirectClient({ url: postgres.adminUrl, name: "bench" }, (client) =>
    client.query("alter system set track_commit_timestamp = on"),
  );
}

/** Begins each write at a random time of its own interval, so that no timer falls in step. */
async function writeAt({ count, intervalMs }: Pace, writer: Writer): Promise<string[]> {
  const beginMs = performance.now();
  const writes: Promise<string>[] = [];
  for (let n = 0; n < count; n += 1) {
    const dueMs = beginMs + (n + Math.random()) * intervalMs;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    writes.push(writer.write());
  }
  return await Promise.all(writes);
}

function createSignetWriter({ service: { deps }, siteId, adminUrl }: OwnService): Writer {
  const pool = openPool(withDatabase(adminUrl, "signet"), 1);
  return {
    write: () =>
      write(deps, siteId, async (tx) => {
        const version = await firstVersion(tx, siteId);
        const createTime = new Date();
        const id = newId<UserId>(createTime);
        const displayName = "Ada Lovelace";
        await saveNewUser(deps, tx, newUser({ id, siteId, version, createTime, displayName }));
        return id;
      }),
    commitsOf: (ids) => readCommits(pool, "signet.users", ids),
  };
}

async function createBareWriter(adminUrl: string): Promise<Writer> {
  const pool = openPool(adminUrl, WRITERS);
  await pool.query("create table written (id uuid primary key)");
  return {
    async write() {
      const id = newId<UserId>(new Date());
      await pool.query(WRITE_THEN_NOTIFY, [YARDSTICK_CHANNEL, id]);
      return id;
    },
    commitsOf: (ids) => readCommits(pool, "written", ids),
  };
}

/** A commit with something to make durable, as each of Signet's has. */
const WRITE_THEN_NOTIFY = `
  with row as (insert into written values ($2::uuid) returning id)
  select pg_notify($1, id::text) from row`;

function openPool(connectionString: string, max: number): Pool {
  const pool = new Pool({ connectionString, max });
  pool.on("error", () => {}); // The statement under way is rejected besides.
  resources.defer(() => pool.end());
  return pool;
}

/** No row was written twice, so that of its insertion is the last transaction. */
async function readCommits(
  pool: Pool,
  table: "signet.users" | "written",
  ids: readonly string[],
): Promise<readonly Commit[]> {
  const { rows } = await pool.query<Commit>(
    `select id, (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000)::float8 as "commitMs"
       from ${table} where id = any($1::uuid[])`,
    [ids],
  );
  return rows;
}
