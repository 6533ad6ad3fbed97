import type { User } from "../../gen/signet/v1/user_pb.ts";
import type { ReconcileOptions, ReconcileReport, UserMirrorEvent } from "./mirror-report.ts";
import type { MirrorRules, MirrorState, MirrorStorage } from "./mirror-storage.ts";
import { addSums, isSameSums, leafOf, type MirrorSums, NO_SUMS } from "./mirror-sums.ts";
import {
  type Answer,
  createReconcileCalls,
  LEAVES_PER_RANGE,
  type ReconcileCalls,
} from "./reconcile-calls.ts";
import { createRepairer, type Repairer } from "./reconcile-repair.ts";
import { untilReached } from "./reconcile-wait.ts";
import { confirmedBy, differencesOf, type RowDifference } from "./row-difference.ts";
import type { SignetClient } from "./signet-client.ts";

/** What comparing a Mirror takes. */
export interface ReconcileParts<Transaction> {
  readonly client: Pick<SignetClient, "sync" | "users">;
  /** Empty: the key's own. */
  readonly siteId: string;
  readonly storage: MirrorStorage<Transaction>;
  readonly rules: MirrorRules<Transaction>;
  readonly notify: (event: UserMirrorEvent) => void;
  /** Wakes those who wait for one of these Users. */
  readonly noteUsers: (users: readonly User[]) => void;
  readonly signal: AbortSignal;
}

/** So many leaves are compared at a time: with 10,000,000 Users they hold 160,000 rows. */
const LEAVES_MAX = 1_024;

/**
 * Compares a Mirror with its Site, and puts right what differs; see `UserMirror.reconcile`.
 *
 * The storage sums up its own rows. Of Signet it asks for the sums of 256 ranges, then for those
 * of the leaves of ranges that differ, then for the versions in the leaves that differ, and at
 * last for the Users that differ.
 */
export async function reconcile<Transaction>(
  parts: ReconcileParts<Transaction>,
  options: ReconcileOptions,
): Promise<ReconcileReport> {
  const { storage, rules } = parts;
  const { repair = true, deep = false } = options;
  const signal = options.signal ? AbortSignal.any([parts.signal, options.signal]) : parts.signal;
  const comparison = await beginComparison(parts, { ...options, repair }, signal);
  const { calls, repairer } = comparison;
  const { leaves, hasDrifted } = await compareLeaves(comparison);
  await compareRows(comparison, leaves);
  if (deep) await compareContents(comparison);
  const { state } = comparison;
  if (repair && hasDrifted) await storage.repair(RECOUNT, state, rules);
  const finishTime = new Date();
  const { epoch, position } = state;
  const record = { deep, repair, epoch, position, ...repairer.result() };
  await storage.noteReconcile({ ...record, finishTime: finishTime.toISOString() });
  return { ...record, finishTime, ...calls.cost() };
}

const RECOUNT = { users: [], wrong: [], recount: true };

interface Comparison<Transaction> {
  readonly storage: MirrorStorage<Transaction>;
  readonly calls: ReconcileCalls;
  readonly repairer: Repairer;
  readonly signal: AbortSignal;
  /** The Mirror, as of the last answer that it has come up to. */
  state: MirrorState;
}

async function beginComparison<Transaction>(
  parts: ReconcileParts<Transaction>,
  { repair, onProgress }: ReconcileOptions,
  signal: AbortSignal,
): Promise<Comparison<Transaction>> {
  const { client, siteId, storage } = parts;
  const state = await untilReached(storage, undefined, signal);
  const callOptions = { client, siteId, signal, positionMin: () => comparison.state.position };
  const calls = createReconcileCalls(callOptions);
  const { fetchUsers } = calls;
  const origin = () => comparison.state;
  const repairer = createRepairer({ ...parts, fetchUsers, origin, repair, onProgress });
  const comparison = { storage, calls, repairer, signal, state };
  return comparison;
}

/** Waits until the Mirror has applied what the answer holds, or was to hold. */
async function reach<Transaction>(
  comparison: Comparison<Transaction>,
  answer: Answer<unknown>,
): Promise<void> {
  comparison.state = await untilReached(comparison.storage, answer, comparison.signal);
}

/** Finds the leaves that differ, in one scan of the rows. */
async function compareLeaves<Transaction>(
  comparison: Comparison<Transaction>,
): Promise<{ readonly leaves: readonly number[]; readonly hasDrifted: boolean }> {
  const { storage, calls } = comparison;
  const ranges = await calls.ranges();
  await reach(comparison, ranges);
  const own = await storage.readDigests();
  const total = [...own.leaves.values()].reduce(addSums, NO_SUMS);
  const hasDrifted = own.state.sums !== undefined && !isSameSums(total, own.state.sums);
  const ownRanges = rangeSums(own.leaves);
  const differing = [...ranges.value.keys()].filter(
    (n) => !isSameSums(ranges.value[n] ?? NO_SUMS, ownRanges.get(n) ?? NO_SUMS),
  );
  if (differing.length === 0) return { leaves: [], hasDrifted };
  const { value: theirs } = await calls.leaves(differing);
  const leaves = [...theirs.keys()].filter(
    (leaf) => !isSameSums(theirs.get(leaf) ?? NO_SUMS, own.leaves.get(leaf) ?? NO_SUMS),
  );
  return { leaves, hasDrifted };
}

function rangeSums(leaves: ReadonlyMap<number, MirrorSums>): Map<number, MirrorSums> {
  const ranges = new Map<number, MirrorSums>();
  for (const [leaf, sums] of leaves) {
    const range = Math.floor(leaf / LEAVES_PER_RANGE);
    ranges.set(range, addSums(ranges.get(range) ?? NO_SUMS, sums));
  }
  return ranges;
}

/** Compares leaves row by row, and once more where something differs. */
async function compareRows<Transaction>(
  comparison: Comparison<Transaction>,
  leaves: readonly number[],
): Promise<void> {
  const { repairer } = comparison;
  for (let done = 0; done < leaves.length; done += LEAVES_MAX) {
    repairer.noteLeaves(done, leaves.length);
    const first = await findDifferences(comparison, leaves.slice(done, done + LEAVES_MAX));
    if (first.size === 0) continue;
    const again = [...new Set([...first.keys()].map(leafOf))];
    const second = await findDifferences(comparison, again);
    await repairer.settle(confirmedBy(second, first));
  }
  repairer.noteLeaves(leaves.length, leaves.length);
}

async function findDifferences<Transaction>(
  comparison: Comparison<Transaction>,
  leaves: readonly number[],
): Promise<Map<string, RowDifference>> {
  const { storage, calls, signal } = comparison;
  // Rows that were read before are in no later state than this.
  comparison.state = await untilReached(storage, undefined, signal);
  const answer = await calls.versions(leaves);
  await reach(comparison, answer);
  return differencesOf(await storage.listLeaves(leaves), answer.value, answer.epoch);
}

/** Finds rows that somebody has changed past the guard. */
async function compareContents<Transaction>({
  storage,
  repairer,
  signal,
}: Comparison<Transaction>): Promise<void> {
  for (let after: string | undefined = ""; after !== undefined; ) {
    signal.throwIfAborted();
    const { rows, next } = await storage.listAltered(after);
    await repairer.settle(rows.map((row) => ({ id: row.id, kind: "altered", row })));
    after = next;
  }
}
