import type { ChangeReader } from "../../src/domain/change-reader.ts";
import type { UserId } from "../../src/model/id.ts";
import { atRate, type ChangeGenerator } from "./change-generator.ts";

/** Which Users' changes a reader has brought, and when. */
export interface Arrivals {
  readonly order: readonly UserId[];
  /** When a User's first change came; a reading of `performance.now()`. */
  readonly times: ReadonlyMap<UserId, number>;
}

/** Notes what a reader brings from now on. */
export function noteArrivals(reader: ChangeReader): Arrivals {
  const order: UserId[] = [];
  const times = new Map<UserId, number>();
  reader.onStep(({ rows }) => {
    for (const row of rows) {
      if (row.type !== "user_change") continue;
      order.push(row.userId);
      if (!times.has(row.userId)) times.set(row.userId, performance.now());
    }
  });
  return { order, times };
}

/**
 * Creates Users at a rate, each commit followed by a wake-up, and returns how long each took
 * from its commit to the reader, in ascending order of milliseconds; infinite: it never came.
 */
export async function measureArrivals(
  {
    reader,
    generator,
    arrivals,
  }: {
    readonly reader: ChangeReader;
    readonly generator: ChangeGenerator;
    readonly arrivals: Arrivals;
  },
  perSecond: number,
  count: number,
): Promise<number[]> {
  const commits = new Map<UserId, number>();
  await atRate(perSecond, count, async () => {
    const id = await generator.create();
    commits.set(id, performance.now());
    reader.wake();
  });
  const deadline = performance.now() + 1_000;
  while ([...commits.keys()].some((id) => !arrivals.times.has(id))) {
    if (performance.now() > deadline) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const delays = [...commits].map(([id, commitMs]) => {
    const arriveMs = arrivals.times.get(id) ?? Number.POSITIVE_INFINITY;
    return Math.max(0, arriveMs - commitMs);
  });
  return delays.sort((a, b) => a - b);
}

/** Returns the value below which a share of ascending values lies. */
export function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? 0;
}
