import { setTimeout as sleep } from "node:timers/promises";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { ChangesItem, SignetClient, Subscription } from "../../src/client/index.ts";
import { playRounds } from "../rounds.ts";
import type { Bench, Figure, Row } from "../row.ts";
import { percentile } from "../statistics.ts";
import { createWallClock } from "../wall-clock.ts";
import { startNotifications } from "../yardsticks/listen-notify.ts";

const P50 = "sync: commit to subscriber";
const P99 = "sync: commit to subscriber, p99";

/** Writes are a pause apart, so that each is delivered by itself. */
const PAUSE_MS = 15;
const WRITE_MS = 10;
const ARRIVAL_MS_MAX = 5_000;

/**
 * How long a Change takes to a subscriber: from its `commit_time` until the client library
 * delivers it. That time is taken within the transaction, in whole milliseconds, so what is left
 * of the transaction is counted too and the figure errs against Signet, never for it. Beside it: a
 * row written and a notification sent in one transaction, from one connection to another.
 */
export const commitToSubscriber: Row = {
  names: [P50, P99],
  async measure(bench) {
    const notifications = await startNotifications(bench.resources);
    const count = Math.ceil(bench.roundMs / (PAUSE_MS + WRITE_MS));
    const { signet, bare } = await playRounds(bench.rounds, {
      signet: () => measureChanges(bench, count),
      bare: () => notifications.measure(count, PAUSE_MS),
    });
    const figureAt = (row: string, share: number, goal: number): Figure => ({
      row,
      unit: "ms",
      samples: signet.map((delays) => percentile(delays, share)),
      yardstick: {
        name: "a row with LISTEN/NOTIFY",
        samples: bare.map((delays) => percentile(delays, share)),
      },
      goal,
    });
    return [figureAt(P50, 0.5, 3), figureAt(P99, 0.99, 5)];
  },
};

/** Changes a User `count` times and returns how long each Change took. */
async function measureChanges({ service }: Bench, count: number): Promise<number[]> {
  const { client, user } = service;
  await using subscription = client.subscribe({
    start: "head",
    signal: AbortSignal.timeout(count * (PAUSE_MS + WRITE_MS) * 10 + ARRIVAL_MS_MAX),
  });
  const live = Promise.withResolvers<void>();
  const received = receive(subscription, count, live.resolve);
  await Promise.race([live.promise, received]);
  await Promise.all([received, write(client, user.id, count)]);
  return await received;
}

async function receive(
  subscription: Subscription,
  count: number,
  onLive: () => void,
): Promise<number[]> {
  const wallMs = createWallClock();
  const delaysMs: number[] = [];
  for await (const item of subscription) {
    if (item.type === "hello") onLive();
    if (item.type === "changes") delaysMs.push(...delaysOf(item, wallMs()));
    if (delaysMs.length >= count) return delaysMs;
  }
  throw new Error(`the subscriber received ${delaysMs.length} of ${count} Changes in time`);
}

function delaysOf({ changes }: ChangesItem, nowMs: number): number[] {
  return changes.flatMap(({ commitTime }) => (commitTime ? [nowMs - toMs(commitTime)] : []));
}

function toMs({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1_000 + nanos / 1_000_000;
}

async function write({ users }: SignetClient, userId: string, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    await users.updateUser({ userId, displayName: `Ada ${n} ${performance.now()}` });
    await sleep(PAUSE_MS);
  }
}
