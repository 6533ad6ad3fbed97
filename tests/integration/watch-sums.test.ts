import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Sums } from "../../gen/signet/v1/change_pb.ts";
import { ChangeKind } from "../../gen/signet/v1/change_pb.ts";
import { type User, UserState } from "../../gen/signet/v1/user_pb.ts";
import { idToBytes, type UserId } from "../../src/model/id.ts";
import { parseWatchScope } from "../../src/rpc/watch-scope.ts";
import { createTestSink, type TestSink } from "../support/test-sink.ts";
import { until } from "../support/waiting.ts";
import { openWatchHarness, siteKeyOf, type WatchHarness } from "../support/watch-harness.ts";

const BOUNDS = { sweepMs: 20 };

describe("the sums of a checkpoint", () => {
  test("are those of a mirror at each of them, through 1,000 random writes", async () => {
    await using harness = await openWatchHarness({ bounds: BOUNDS });
    const ids = await harness.generator.fill(50);
    const sink = createTestSink();
    void harness.run(sink, { heartbeatSeconds: 0.05 });
    await sink.has("snapshotEnd");
    for (let n = 0; n < 1_000; n += 1) await writeAtRandom(harness, ids);
    const { position } = await until(() => {
      const last = sink.all("checkpoint").at(-1);
      return last && last.position === 1_050n ? last : undefined;
    });

    const compared = replay(sink);

    expect(position).toBe(1_050n);
    expect(compared.filter(({ told, own }) => !sameSums(told, own))).toEqual([]);
    expect(compared.length).toBeGreaterThan(10);
  });

  test("are there from the first one on for a stream that resumes at the head", async () => {
    await using harness = await openWatchHarness({ bounds: BOUNDS });
    const ids = await harness.generator.fill(3);
    const head = harness.open({ snapshot: false });
    const { cursor } = await head.next("hello");
    await head.leave();
    const resumed = harness.open({ cursor });

    const checkpoint = await resumed.next("checkpoint");
    await resumed.leave();

    expect(checkpoint.sums?.count).toBe(BigInt(ids.length));
    expect(checkpoint.sums?.xor).not.toBe(0n);
  });

  test("are absent under a filter, and while the stream catches up", async () => {
    await using harness = await openWatchHarness({ bounds: BOUNDS, ringBytesMax: 1 });
    const filter = { kinds: [ChangeKind.CREATED], userIds: [] } as never;
    const scope = parseWatchScope(filter, siteKeyOf(harness.siteId));
    const start = harness.open({ snapshot: false });
    const { cursor } = await start.next("hello");
    await start.leave();
    await harness.generator.fill(1_200);
    const behind = createTestSink();
    const filtered = createTestSink();
    void harness.run(behind, { cursor, heartbeatSeconds: 0.05 });
    void harness.run(filtered, { scope, snapshot: false });
    behind.block();
    await behind.has("hello");
    for (let n = 1; n <= 2; n += 1) {
      behind.unblock();
      await behind.has("checkpoint", n);
      behind.block();
    }
    behind.unblock();
    await until(() => behind.all("checkpoint").some(({ sums }) => sums !== undefined));
    await filtered.has("checkpoint");

    const told = behind.all("checkpoint").filter(({ sums }) => sums !== undefined);
    expect(new Set(told.map(({ position, sums }) => `${position}/${sums?.count}`))).toEqual(
      new Set(["1200/1200"]),
    );
    expect(filtered.all("checkpoint").every(({ sums }) => sums === undefined)).toBe(true);
  });
});

async function writeAtRandom({ generator }: WatchHarness, ids: UserId[]): Promise<void> {
  const dice = Math.random();
  const id = ids[Math.floor(Math.random() * ids.length)];
  if (!id || dice < 0.2 || ids.length < 10) ids.push(await generator.create());
  else if (dice < 0.35) {
    ids.splice(ids.indexOf(id), 1);
    await generator.remove(id);
  } else await generator.update(id);
}

/** Applies all frames in order; returns what each checkpoint tells beside what the mirror holds. */
function replay(sink: TestSink) {
  const mirror = new Map<string, User>();
  const compared: { readonly told: Sums; readonly own: OwnSums }[] = [];
  const apply = (user: User | undefined) => {
    const held = user && mirror.get(user.id);
    if (user && (held === undefined || user.version > held.version)) mirror.set(user.id, user);
  };
  for (const { message } of sink.frames) {
    const { frame } = message;
    if (frame.case === "snapshotPage") for (const user of frame.value.users) apply(user);
    if (frame.case === "changeBatch") for (const { user } of frame.value.changes) apply(user);
    if (frame.case !== "checkpoint" || !frame.value.sums) continue;
    compared.push({ told: frame.value.sums, own: sumsOf(mirror.values()) });
  }
  return compared;
}

interface OwnSums {
  readonly count: bigint;
  readonly xor: bigint;
}

/** The sums as change.proto defines them, worked out anew. */
function sumsOf(users: Iterable<User>): OwnSums {
  let [count, xor] = [0n, 0n];
  for (const { id, version, state } of users) {
    if (state === UserState.DELETED) continue;
    const versionBytes = Buffer.alloc(8);
    versionBytes.writeBigInt64BE(version);
    const digest = createHash("sha256")
      .update(idToBytes(id as UserId))
      .update(versionBytes);
    count += 1n;
    xor ^= digest.digest().readBigUInt64BE();
  }
  return { count, xor };
}

function sameSums(told: Sums, own: OwnSums): boolean {
  return told.count === own.count && told.xor === own.xor;
}
