import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import type { SiteId } from "../../src/model/id.ts";
import { grpcClients, openSite, refusal, type TestSite } from "../support/builders.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { createServiceKeys, startService } from "../support/service.ts";
import { until } from "../support/waiting.ts";

/** The smallest that may be set, and so the smallest partition of the log. */
const ROWS_KEPT = 10_000;
const DROP_MS_MAX = 30_000;

let database: TestDatabase;

beforeAll(async () => {
  database = await openTestDatabase();
});

afterAll(() => database[Symbol.asyncDispose]());

test("a cursor from before what is kept is refused, and one at the head is not", async () => {
  const keys = createServiceKeys();
  const service = { databaseUrl: database.appUrl, keys, env: settings() };
  await using first = await startService(service);
  await until(async () => (await partitionRows()) === ROWS_KEPT, DROP_MS_MAX);
  const transport = createGrpcTransport({ baseUrl: first.url });
  const [busy, quiet] = [
    await openSite(transport, first.operatorKey),
    await openSite(transport, first.operatorKey),
  ];
  await quiet.backend.users.createUser({ email: "ada@example.com" });
  const [start, head] = [await cursorOf(busy), await cursorOf(quiet)];
  const generator = createChangeGenerator(database.db, busy.siteId as SiteId);
  await generator.fill(2 * ROWS_KEPT + 100);
  await cursorOf(busy); // All of them have positions by now.
  await first.stop();

  await using second = await startService(service);
  await until(async () => (await oldestPosition(busy)) > 1, DROP_MS_MAX);
  const oldest = await oldestPosition(busy);
  const again = grpcClients(second.url, busy.key);
  const error = await refusal(firstFrame(again, start));
  const resumed = await firstFrame(grpcClients(second.url, quiet.key), head);

  expect(error).toMatchObject({
    code: "OutOfRange",
    reason: "CURSOR_EXPIRED",
    metadata: { oldest_position: String(oldest) },
  });
  expect(resumed).toMatchObject({
    case: "hello",
    value: { head: 1n, oldestPosition: 2n, snapshot: false },
  });
});

function settings() {
  return { SIGNET_CHANGE_RETENTION_DAYS: "0", SIGNET_CHANGE_RETENTION_ROWS: `${ROWS_KEPT}` };
}

/** Returns where the Site's log is at its end. */
async function cursorOf({ backend }: TestSite): Promise<string> {
  const frame = await firstFrame(backend, "");
  return frame?.case === "hello" ? frame.value.cursor : "";
}

async function firstFrame({ sync }: Pick<TestSite["backend"], "sync">, cursor: string) {
  const ended = new AbortController();
  const request = { cursor, clientId: "test", start: WatchStart.HEAD };
  for await (const { frame } of sync.watchUsers(request, { signal: ended.signal })) {
    ended.abort();
    return frame;
  }
  return undefined;
}

async function partitionRows(): Promise<number> {
  const statement = "select partition_rows::integer as rows from signet.change_state";
  const [row] = await runAsAdmin<{ rows: number }>(database.adminUrl, statement);
  return row?.rows ?? 0;
}

async function oldestPosition({ siteId }: TestSite): Promise<number> {
  const [row] = await runAsAdmin<{ oldest: number }>(
    database.adminUrl,
    `select min(position)::integer as oldest from signet.changes where site_id = '${siteId}'`,
  );
  return row?.oldest ?? 0;
}
