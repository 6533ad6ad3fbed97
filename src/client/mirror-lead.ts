import { createCheckpointCheck } from "./checkpoint-check.ts";
import { followInto, type StreamStart, type Written } from "./mirror-follower.ts";
import type { MirrorHealth } from "./mirror-health.ts";
import { createMirrorKeeper } from "./mirror-keeper.ts";
import { openLedger } from "./mirror-ledger.ts";
import type { StoredMirrorOptions } from "./mirror-options.ts";
import type { ReconcileOptions, ReconcileReport } from "./mirror-report.ts";
import { createMirrorReporter } from "./mirror-reporter.ts";
import type { MirrorStatusFeed } from "./mirror-status.ts";
import type { MirrorRules, MirrorWriter } from "./mirror-storage.ts";
import { NO_SUMS, readSums } from "./mirror-sums.ts";
import type { SubscriptionStatus } from "./subscription-status.ts";
import type { UserFetcher } from "./user-fetcher.ts";

/** What leading takes. */
export interface LeadOptions<Transaction> extends StoredMirrorOptions<Transaction> {
  readonly rules: MirrorRules<Transaction>;
  readonly fetchUsers: UserFetcher;
  readonly health: MirrorHealth;
  readonly mirrorStatus: MirrorStatusFeed;
  readonly reconcile: (options: ReconcileOptions) => Promise<ReconcileReport>;
  readonly noteWritten: (written: Written) => void;
  /** Told how to look again for what is to be done beside the stream. */
  readonly setWake: (wake: () => void) => void;
}

const DAY_SECONDS = 86_400;
const WEEK_SECONDS = 604_800;

/**
 * Does what the leading instance does, until the stream ends or the signal is aborted: follows
 * the stream, and beside it compares the Mirror with its Site and reports how it is.
 *
 * @throws what ended the stream.
 */
export async function leadMirror<Transaction>(
  options: LeadOptions<Transaction>,
  writer: MirrorWriter<Transaction>,
  signal: AbortSignal,
): Promise<void> {
  const { client, storage, rules, health, mirrorStatus: status, siteId = "" } = options;
  const { reconcileEverySeconds = DAY_SECONDS, deepReconcileEverySeconds = WEEK_SECONDS } = options;
  const ledger = await openLedger(writer, rules);
  const check = createCheckpointCheck();
  const keeper = createMirrorKeeper({
    ledger,
    health,
    status,
    reconcile: options.reconcile,
    readRecord: storage.readRecord,
    everyMs: reconcileEverySeconds * 1_000,
    deepEveryMs: deepReconcileEverySeconds * 1_000,
  });
  const { name = "users", reports = true } = options;
  const reporter = createMirrorReporter({ client, siteId, name, ledger, storage, health, status });
  options.setWake(reporter.wake);

  function noteWritten(written: Written): void {
    const { item, state } = written;
    options.noteWritten(written);
    if (item.type === "hello" || item.type === "snapshot_end") keeper.wake();
    const verdict = check(item, state);
    const theirs = item.type === "checkpoint" ? readSums(item.sums) : undefined;
    if (item.type === "checkpoint" && theirs) reporter.noteCheckpoint(item.position, theirs);
    if (verdict) keeper.hear(verdict, (state.sums ?? NO_SUMS).count - (theirs ?? NO_SUMS).count);
  }

  function publish(present: SubscriptionStatus): void {
    status.publish(present);
    if (present.type === "reconnecting") health.noteError(present.error);
    health.noteBehind(present.type === "lagging" ? (present.behind ?? 1n) : 0n);
  }

  const ending = new AbortController();
  const following = AbortSignal.any([signal, writer.lost, ending.signal]);
  const reporting = reports ? reporter.run(following) : undefined;
  const beside = Promise.all([keeper.run(following), reporting]);
  const subscribe = ({ cursor, start, signal: ended }: StreamStart) =>
    client.subscribe({ ...subscriptionOptions(options), cursor, start, signal: ended });
  try {
    const { fetchUsers } = options;
    const parts = { writer, ledger, rules, fetchUsers, subscribe, publish };
    await followInto({ ...parts, noteWritten, signal });
  } finally {
    ending.abort();
    await beside;
  }
}

function subscriptionOptions<Transaction>(options: LeadOptions<Transaction>) {
  const { siteId, clientId, heartbeatSeconds } = options;
  return { ...(siteId && { siteId }), clientId, heartbeatSeconds };
}
