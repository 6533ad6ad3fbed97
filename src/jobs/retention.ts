import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { LIMITS } from "../model/limits.ts";
import type { Retention } from "../model/retention.ts";
import {
  dropOldChanges,
  removeExpired,
  removeTombstones,
  sizeChangePartitions,
} from "../store/retention.ts";
import type { Queryable } from "../store/sql.ts";
import { removeDeliveries } from "../store/webhook-deliveries.ts";

/** What one run has removed. */
export interface RetentionResult {
  readonly partitions: number;
  readonly tombstones: number;
  readonly expiredRows: number;
  readonly deliveries: number;
}

const ATTEMPTS_MAX = 50;
const RETRY_MS_MAX = 200;
/** The log is dropped in about ten parts, so that it is never much longer than it has to be. */
const PARTITIONS_KEPT = 10;

/**
 * Removes what is older than it has to be: Changes, tombstones, and what has expired. Each step
 * is short and bounded, and what one run leaves the next one removes.
 */
export async function keepRetention(
  db: Queryable,
  retention: Retention,
  log: Logger,
  signal?: AbortSignal,
): Promise<RetentionResult> {
  const partitions = await trimLog(db, retention, log, signal);
  const limit = LIMITS.removedRowsMax;
  const tombstones = await inBatches(
    () => removeTombstones(db, { days: retention.tombstoneDays, limit }),
    signal,
  );
  const expiredRows = await inBatches(
    () => removeExpired(db, { days: LIMITS.expiredKeptDays, limit }),
    signal,
  );
  const deliveries = await inBatches(
    () => removeDeliveries(db, { days: LIMITS.deliveriesKeptDays, limit }),
    signal,
  );
  const result = { partitions, tombstones, expiredRows, deliveries };
  if (partitions + tombstones + expiredRows + deliveries > 0)
    log.info(result, "removed what was past its time");
  return result;
}

async function trimLog(
  db: Queryable,
  { changeDays, changeRows }: Retention,
  log: Logger,
  signal?: AbortSignal,
): Promise<number> {
  const rowsEach = partitionRows(changeRows);
  await untilFree(() => sizeChangePartitions(db, rowsEach), signal);
  let dropped = 0;
  let more = true;
  while (more && !signal?.aborted) {
    const isFree = await untilFree(async () => {
      const outcome = await dropOldChanges(db, { days: changeDays, rows: changeRows });
      more = outcome === "dropped";
      if (more) dropped += 1;
      return outcome !== "busy";
    }, signal);
    if (!isFree && !signal?.aborted) log.warn({}, "the log is in use: its end is dropped later");
  }
  return dropped;
}

function partitionRows(changeRows: number): number {
  const { partitionRowsMin, partitionRowsMax } = LIMITS;
  const wanted = Math.floor(changeRows / PARTITIONS_KEPT);
  return Math.min(partitionRowsMax, Math.max(partitionRowsMin, wanted));
}

/** Tries now and then, never waiting in line: others would have to wait behind. */
async function untilFree(attempt: () => Promise<boolean>, signal?: AbortSignal): Promise<boolean> {
  for (let n = 0; n < ATTEMPTS_MAX && !signal?.aborted; n += 1) {
    if (await attempt()) return true;
    await sleep(Math.random() * RETRY_MS_MAX);
  }
  return false;
}

async function inBatches(remove: () => Promise<number>, signal?: AbortSignal): Promise<number> {
  let total = 0;
  for (let n = 0; n < LIMITS.removalBatchesMax && !signal?.aborted; n += 1) {
    const removed = await remove();
    total += removed;
    if (removed === 0) break;
  }
  return total;
}
