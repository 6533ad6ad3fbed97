import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChangeKind } from "../../gen/signet/v1/change_pb.ts";
import type { UserId } from "../../src/model/id.ts";
import { parseWatchScope } from "../../src/rpc/watch-scope.ts";
import type { Database } from "../../src/store/database.ts";
import { createBareSite } from "../support/bare-site.ts";
import { atRate, createChangeGenerator } from "../support/change-generator.ts";
import { runAsAdmin } from "../support/database.ts";
import { rejection, until } from "../support/waiting.ts";
import { openWatchHarness, siteKeyOf, type WatchHarness } from "../support/watch-harness.ts";

let harness: WatchHarness;

beforeAll(async () => {
  harness = await openWatchHarness();
});

afterAll(() => harness[Symbol.asyncDispose]());

describe("a stream of Users", () => {
  test("goes from the log to the ring without a gap and without a wait", async () => {
    const { generator } = harness;
    const gate = gateAfterReads(harness.database.db);
    const stream = harness.open({ db: gate.db });
    await stream.next("snapshotEnd");
    gate.close();
    const batch = stream.next("changeBatch"); // It reads the log, which has nothing yet.
    await gate.reached;
    const id = await generator.create();
    harness.wake();
    await until(async () => (await ringHas(id)) || undefined);
    const beginMs = performance.now();
    gate.open();

    const { changes } = await batch;

    expect(changes?.map(({ user }) => user?.id)).toEqual([id]);
    expect(performance.now() - beginMs).toBeLessThan(500); // Not the next heartbeat.
    await stream.leave();
  });

  test("sends a checkpoint each heartbeat, also while no change passes the filter", async () => {
    const caller = siteKeyOf(harness.siteId);
    const scope = parseWatchScope({ kinds: [ChangeKind.DELETED], userIds: [] } as never, caller);
    const stream = harness.open({ snapshot: false, scope });
    const { head = 0n } = await stream.next("hello");
    const writing = atRate(50, 100, async () => {
      await harness.generator.create();
      harness.wake();
    });

    const { position = 0n, cursor } = await stream.next("checkpoint");
    await writing;
    await stream.leave();
    const resumed = harness.open({ scope, cursor: cursor ?? "" });

    expect(BigInt(position)).toBeGreaterThan(BigInt(head));
    expect(await resumed.next("hello")).toMatchObject({ snapshot: false });
    await resumed.leave();
  });

  test("makes one frame for all streams of a class", async () => {
    const streams = [1, 2, 3].map(() => harness.open({ snapshot: false }));
    for (const stream of streams) await stream.next("checkpoint"); // Now they are live.
    const pending = streams.map((stream) => stream.next("changeBatch"));
    await harness.generator.create();
    harness.wake();

    const [first, ...others] = await Promise.all(pending);

    for (const other of others) expect(other).toBe(first);
    await Promise.all(streams.map((stream) => stream.leave()));
  });

  test("splits a page that would be too large for one answer", async () => {
    const site = await createBareSite(harness.database.db);
    const generator = createChangeGenerator(harness.database.db, site);
    await generator.fill(400);
    await growMetadata(site);
    const stream = harness.open({ siteId: site, caller: siteKeyOf(site) });
    const pages = [await stream.next("snapshotPage"), await stream.next("snapshotPage")];
    await stream.next("snapshotEnd");

    const users = pages.map((page) => page.users?.length ?? 0);

    expect(Math.max(...users)).toBeLessThan(400);
    await stream.leave();
  });
});

describe("a cursor", () => {
  test("fails with cursor_expired once what follows it is gone from the log", async () => {
    const site = await createBareSite(harness.database.db);
    const generator = createChangeGenerator(harness.database.db, site);
    const options = { siteId: site, caller: siteKeyOf(site), snapshot: false };
    const stream = harness.open(options);
    const { cursor = "" } = await stream.next("hello");
    await stream.leave();
    await generator.fill(10);
    await harness.open(options).next("hello");
    await dropBefore(site, 5);

    const error = await rejection(harness.open({ ...options, cursor }).next("hello"));

    expect(error).toMatchObject({
      reason: "cursor_expired",
      metadata: { oldest_position: "5" },
    });
  });

  test("fails with cursor_expired where the log is dropped under a stream that lags", async () => {
    await using own = await openWatchHarness({ ringBytesMax: 1_000 });
    const stream = own.open({ snapshot: false });
    await stream.next("hello");
    await own.generator.fill(10);
    await own.open().next("hello"); // Now they are numbered.
    await dropBefore(own.siteId, 5, own);

    expect(await rejection(stream.next("changeBatch"))).toMatchObject({ reason: "cursor_expired" });
  });

  test("fails with cursor_ahead where history was taken back unnoticed", async () => {
    const site = await createBareSite(harness.database.db);
    await createChangeGenerator(harness.database.db, site).fill(10);
    const options = { siteId: site, caller: siteKeyOf(site), snapshot: false };
    const stream = harness.open(options);
    const { cursor = "" } = await stream.next("hello");
    await stream.leave();
    const { adminUrl } = harness.database;
    await runAsAdmin(
      adminUrl,
      `update signet.site_heads set position = 8 where site_id = '${site}'`,
    );

    const error = await rejection(harness.open({ ...options, cursor }).next("hello"));

    expect(error).toMatchObject({ reason: "cursor_ahead" });
  });

  test("resumes a snapshot amid deletions, and all comes out the same", async () => {
    const site = await createBareSite(harness.database.db);
    const generator = createChangeGenerator(harness.database.db, site);
    const ids = await generator.fill(1_200);
    const options = { siteId: site, caller: siteKeyOf(site) };
    const first = harness.open(options);
    const mirror = createMirror();
    const page = await first.next("snapshotPage");
    mirror.applyAll(page.users);
    await first.leave();
    for (const id of [ids[0], ids[700], ids[1_199]]) await generator.remove(id as UserId);
    await generator.update(ids[1] as UserId);

    const resumed = harness.open({ ...options, cursor: page.cursor ?? "" });
    for (let left = 1_200 + 4 - 500; left > 0; ) {
      const { value } = await resumed.frames.next();
      const { frame } = value ?? {};
      if (frame?.case === "snapshotPage") {
        left -= frame.value.users?.length ?? 0;
        mirror.applyAll(frame.value.users);
      }
      if (frame?.case !== "changeBatch") continue;
      left -= frame.value.changes?.length ?? 0;
      mirror.applyAll(usersOf(frame.value.changes));
    }
    await resumed.leave();

    expect(mirror.rows()).toEqual(await tableOf(site));
  });
});

/** A database whose answers to reads wait at a gate, once it is closed. */
function gateAfterReads(db: Database) {
  const passed = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  let closed = false;
  const gated: Database = {
    ...db,
    async inSite(siteId, work, options) {
      const result = await db.inSite(siteId, work, options);
      if (closed) {
        reached.resolve();
        await passed.promise;
      }
      return result;
    },
  };
  return {
    db: gated,
    reached: reached.promise,
    close: () => {
      closed = true;
    },
    open: () => {
      closed = false;
      passed.resolve();
    },
  };
}

/** Whether the reader of the process has brought a User's change to its streams. */
async function ringHas(id: UserId): Promise<boolean> {
  const stream = harness.open({ snapshot: false });
  const { head = 0n } = await stream.next("hello");
  await stream.leave();
  const [row] = await runAsAdmin<{ position: string }>(
    harness.database.adminUrl,
    `select position from signet.changes where user_id = '${id}'`,
  );
  await sleep(100); // A step of the reader.
  return row !== undefined && BigInt(row.position) <= BigInt(head);
}

/** Gives each User of a Site metadata that weigh more as a message than as JSON. */
async function growMetadata(siteId: WatchHarness["siteId"]): Promise<void> {
  const metadata = JSON.stringify({ list: Array.from({ length: 1_000 }, () => 0) });
  await runAsAdmin(
    harness.database.adminUrl,
    `alter table signet.users disable trigger user;
     update signet.users set metadata = '${metadata}' where site_id = '${siteId}';
     alter table signet.users enable trigger user`,
  );
}

async function dropBefore(
  siteId: WatchHarness["siteId"],
  position: number,
  { database } = harness,
): Promise<void> {
  await runAsAdmin(
    database.adminUrl,
    `delete from signet.changes where site_id = '${siteId}' and position < ${position}`,
  );
}

interface MirroredUser {
  readonly id?: string;
  readonly version?: bigint;
}

function usersOf(changes: readonly { readonly user?: MirroredUser | undefined }[] = []) {
  return changes.map(({ user }) => user);
}

type Row = readonly [id: string, version: number];

function createMirror() {
  const held = new Map<string, number>();
  return {
    applyAll(users: readonly (MirroredUser | undefined)[] = []) {
      for (const { id = "", version = 0n } of users.filter((user) => user !== undefined)) {
        held.set(id, Math.max(Number(version), held.get(id) ?? 0));
      }
    },
    rows: (): Row[] => [...held].sort(([a], [b]) => (a < b ? -1 : 1)),
  };
}

async function tableOf(siteId: WatchHarness["siteId"]): Promise<Row[]> {
  const rows = await runAsAdmin<{ id: string; version: string }>(
    harness.database.adminUrl,
    `select id, version from signet.users where site_id = '${siteId}' order by id`,
  );
  return rows.map(({ id, version }) => [id, Number(version)]);
}
