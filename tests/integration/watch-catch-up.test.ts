import { describe, expect, test } from "vitest";
import { ChangeKind } from "../../gen/signet/v1/change_pb.ts";
import type { UserId } from "../../src/model/id.ts";
import { parseWatchScope } from "../../src/rpc/watch-scope.ts";
import type { Database } from "../../src/store/database.ts";
import { listHeld } from "../support/change-race.ts";
import { runAsAdmin } from "../support/database.ts";
import { createTestSink, type TestSink } from "../support/test-sink.ts";
import { until } from "../support/waiting.ts";
import { openWatchHarness, siteKeyOf, type WatchHarness } from "../support/watch-harness.ts";

describe("a stream that catches up from the log", () => {
  test("is sent each User's last state, which tells the kinds of all its changes", async () => {
    await using harness = await openWatchHarness({ ringBytesMax: 1 });
    const { generator } = harness;
    const cursor = await headCursor(harness);
    const [ada, bob] = [await generator.create(), await generator.create()];
    for (let n = 0; n < 5; n += 1) await generator.update(ada);
    await generator.remove(bob);

    const batch = await catchUp(harness, cursor).has("changeBatch");

    expect(
      batch.changes.map(({ position, kind, furtherKinds, user }) => [
        [Number(position), user?.id, Number(user?.version) > 0],
        [kind, furtherKinds],
      ]),
    ).toEqual([
      [
        [7, ada, true],
        [ChangeKind.UPDATED, [ChangeKind.CREATED]],
      ],
      [
        [8, bob, true],
        [ChangeKind.DELETED, [ChangeKind.CREATED]],
      ],
    ]);
    expect([batch.previousPosition, batch.position]).toEqual([0n, 8n]);
  });

  test("with a filter by kind is sent what stands for a wanted kind alone", async () => {
    await using harness = await openWatchHarness({ ringBytesMax: 1 });
    const { generator, siteId } = harness;
    const old = await generator.create();
    const filter = { kinds: [ChangeKind.CREATED], userIds: [] } as never;
    const scope = parseWatchScope(filter, siteKeyOf(siteId));
    const cursor = await headCursor(harness, scope);
    const ada = await generator.create();
    await generator.update(old);
    await generator.update(ada);

    const { changes, position } = await catchUp(harness, cursor, scope).has("changeBatch");

    expect(changes.map(({ user, kind, furtherKinds }) => [user?.id, kind, furtherKinds])).toEqual([
      [ada, ChangeKind.UPDATED, [ChangeKind.CREATED]],
    ]);
    expect(position).toBe(4n);
  });

  test("comes to the same rows as the table, through deletes and pages", async () => {
    await using harness = await openWatchHarness({ ringBytesMax: 1 });
    const { generator, database, siteId } = harness;
    const cursor = await headCursor(harness);
    const ids = await generator.fill(1_500);
    for (const id of ids.slice(0, 40)) await generator.update(id);
    for (const id of ids.slice(20, 60)) await generator.remove(id);

    const sink = catchUp(harness, cursor);
    await until(() => sink.all("checkpoint").some(({ sums }) => sums !== undefined));

    expect(heldBy(sink)).toEqual(await listHeld(database.adminUrl, siteId));
  });
});

test("forty streams that catch up at once read the log four at a time", async () => {
  await using harness = await openWatchHarness({ ringBytesMax: 1 });
  const reads = countReads(harness.database.db);
  await harness.generator.fill(1_200);
  const scopes = Array.from({ length: 40 }, (_, n) => scopeOf(harness, n));
  const cursors: string[] = [];
  for (const scope of scopes) cursors.push(await headCursor(harness, scope));
  await harness.generator.fill(1_200);

  const streams = scopes.map((scope, n) =>
    harness.open({ scope, cursor: cursors[n] ?? "", db: reads.db }),
  );
  await Promise.all(streams.map(untilLive));
  await Promise.all(streams.map((stream) => stream.leave()));

  expect(reads.mostAtOnce()).toBe(4);
  expect(reads.total()).toBeGreaterThan(100);
  expect(harness.shared.reads.active()).toBe(0);
});

test("holds no turn and no connection while its client does not read", async () => {
  await using harness = await openWatchHarness({ ringBytesMax: 1 });
  const cursor = await headCursor(harness);
  await harness.generator.fill(2_000);
  const sinks = Array.from({ length: 20 }, () => {
    const sink = createTestSink();
    sink.block();
    void harness.run(sink, { cursor });
    return sink;
  });
  for (const sink of sinks) await sink.has("hello");
  for (const sink of sinks) sink.unblock();
  for (const sink of sinks) sink.block();

  for (const sink of sinks) await sink.has("changeBatch");
  const idle = await until(async () => (await busyConnections(harness)) === 0);

  expect(idle).toBe(true);
  expect(harness.shared.reads.active()).toBe(0);
});

describe("a thousand streams that come back at once", () => {
  test("at the head share a few looks at the head, and none reads the log", async () => {
    await using harness = await openWatchHarness();
    await harness.generator.fill(100);
    const cursor = await headCursor(harness);
    const queries = countQueries(harness);

    const sinks = Array.from({ length: 1_000 }, createTestSink);
    for (const sink of sinks) void harness.run(sink, { cursor });
    for (const sink of sinks) await sink.has("checkpoint");

    expect(queries.siteReads()).toBeGreaterThan(0);
    expect(queries.siteReads()).toBeLessThan(20);
    expect(harness.streams()).toBe(1_000);
  });

  test("behind the head are all live within 10 s, with shared frames", async () => {
    await using harness = await openWatchHarness({ ringBytesMax: 1 });
    const cursor = await headCursor(harness);
    await harness.generator.fill(1_000);
    const beginMs = performance.now();

    const sinks = Array.from({ length: 1_000 }, createTestSink);
    for (const sink of sinks) void harness.run(sink, { cursor });
    for (const sink of sinks) await sink.has("checkpoint");
    const seconds = (performance.now() - beginMs) / 1_000;
    const frames = new Set(sinks.flatMap((sink) => sink.frames.slice(1, 3)));

    expect(seconds).toBeLessThan(10);
    expect(frames.size).toBeLessThan(200);
  });
});

type Scope = ReturnType<typeof parseWatchScope>;

async function headCursor(harness: WatchHarness, scope?: Scope): Promise<string> {
  const stream = harness.open({ snapshot: false, ...(scope && { scope }) });
  const { cursor } = await stream.next("hello");
  await stream.leave();
  return cursor;
}

function catchUp(harness: WatchHarness, cursor: string, scope?: Scope): TestSink {
  const sink = createTestSink();
  void harness.run(sink, { cursor, ...(scope && { scope }) });
  return sink;
}

/** Until then a heartbeat brings checkpoints without sums. */
async function untilLive(stream: ReturnType<WatchHarness["open"]>): Promise<void> {
  while (!(await stream.next("checkpoint")).sums);
}

/** A class of its own, so that nothing is shared. */
function scopeOf({ siteId }: WatchHarness, n: number): Scope {
  const fields = ["email", "username", "display_name", "roles", "locale", "metadata"];
  return parseWatchScope(
    undefined,
    siteKeyOf(
      siteId,
      fields.filter((_, bit) => n & (1 << bit)),
    ),
  );
}

function heldBy(sink: TestSink) {
  const changes = sink.all("changeBatch").flatMap((batch) => batch.changes);
  return new Map(
    changes.map(({ kind, user }) => [
      user?.id as UserId,
      { version: Number(user?.version), deleted: kind === ChangeKind.DELETED },
    ]),
  );
}

function countReads(db: Database) {
  const count = { now: 0, most: 0, total: 0 };
  const counted: Database = {
    ...db,
    async inSite(siteId, work, options) {
      count.now += 1;
      count.total += 1;
      count.most = Math.max(count.most, count.now);
      try {
        return await db.inSite(siteId, work, options);
      } finally {
        count.now -= 1;
      }
    },
  };
  return { db: counted, mostAtOnce: () => count.most, total: () => count.total };
}

/** Counts what a harness asks the database for a Site, from now on. */
function countQueries({ database }: WatchHarness) {
  const { db } = database;
  const inSite = db.inSite;
  let reads = 0;
  Object.assign(db, {
    inSite: (...args: Parameters<Database["inSite"]>) => {
      reads += 1;
      return inSite(...args);
    },
  });
  return { siteReads: () => reads };
}

async function busyConnections({ database }: WatchHarness): Promise<number> {
  const [row] = await runAsAdmin<{ count: string }>(
    database.adminUrl,
    `select count(*) from pg_stat_activity
      where datname = current_database() and application_name = 'signet'
        and state <> 'idle'`,
  );
  return Number(row?.count);
}
