import { ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import { jitteredDelayMs, pause } from "./backoff.ts";
import { reasonOf } from "./errors.ts";
import { MirrorConflictError, MirrorError } from "./mirror-error.ts";
import type { Written } from "./mirror-follower.ts";
import { createMirrorHealth } from "./mirror-health.ts";
import { leadMirror } from "./mirror-lead.ts";
import type {
  StoredMirrorOptions,
  UserMirrorCounters,
  UserMirrorMetrics,
  UserMirrorStatus,
} from "./mirror-options.ts";
import type { ReconcileOptions, ReconcileReport } from "./mirror-report.ts";
import { createMirrorStatus } from "./mirror-status.ts";
import type { MirrorRules, MirrorState } from "./mirror-storage.ts";
import { createMirrorWaiting, type MirrorWaiting } from "./mirror-waiting.ts";
import { reconcile } from "./reconcile.ts";
import type { UserFetcher } from "./user-fetcher.ts";

/** The work of a Mirror in the background. */
export interface MirrorRunner {
  readonly waiting: MirrorWaiting;
  readStatus(): AsyncGenerator<UserMirrorStatus, void, undefined>;
  counters(): UserMirrorCounters;
  metrics(): UserMirrorMetrics;
  reconcile(options: ReconcileOptions): Promise<ReconcileReport>;
  /** Makes sure that the storage has its tables. */
  ready(): Promise<void>;
  readState(): Promise<MirrorState>;
  close(): Promise<void>;
}

/** What the work takes. */
export interface RunnerOptions<Transaction> extends StoredMirrorOptions<Transaction> {
  readonly rules: MirrorRules<Transaction>;
  readonly fetchUsers: UserFetcher;
}

/** Starts to take the lead and follow, again and again, until closed. */
export function createMirrorRunner<Transaction>(options: RunnerOptions<Transaction>): MirrorRunner {
  const { storage } = options;
  const closing = new AbortController();
  const ended = options.signal ? AbortSignal.any([closing.signal, options.signal]) : closing.signal;
  const { lagLimitMs = LIMIT_MS, silenceLimitMs = LIMIT_MS } = options;
  const health = createMirrorHealth({ lagLimitMs, silenceLimitMs }, options.onEvent);
  let wakeReporter = () => {};
  const status = createMirrorStatus(() => wakeReporter());
  const waiting = createMirrorWaiting();
  const counters: Mutable<UserMirrorCounters> = { ...NOTHING_DONE };
  let prepared: Promise<void> | undefined;
  let [standsBy, leads] = [false, false];
  let place = { position: 0n };
  let ledRevision: bigint | undefined;

  function ready(): Promise<void> {
    prepared ??= storage.prepare().catch((error: unknown) => {
      prepared = undefined; // The next one tries again.
      throw error;
    });
    return prepared;
  }

  function note({ item, users, result, state }: Written): void {
    const isBegun = item.type === "hello" && item.snapshot && state.snapshotAfter === "";
    counters.items++;
    counters.snapshots += isBegun ? 1 : 0;
    counters.written += result.written;
    counters.created += result.created;
    counters.removed += result.removed;
    if (users.length > 0) waiting.note(users);
    place = state;
    health.noteHeard();
  }

  async function compare(reconcileOptions: ReconcileOptions): Promise<ReconcileReport> {
    await ready();
    const { client, rules, siteId = "" } = options;
    const { notify } = health;
    const noteUsers = waiting.note;
    const parts = { client, siteId, storage, rules, notify, noteUsers, signal: ended };
    const report = await reconcile(parts, reconcileOptions);
    const { missing, stale, extra, altered, repaired } = report;
    health.counters.reconciles++;
    health.counters.usersDiffering += missing + stale + extra + altered;
    health.counters.usersRepaired += repaired;
    return report;
  }

  /** Answers whether there is more to do. */
  async function lead(noteWritten: (written: Written) => void): Promise<boolean> {
    await ready();
    const writer = await storage.lead();
    if (!writer) {
      if (!standsBy) status.publish({ type: "standby" });
      standsBy = true;
      await noteLeader();
      health.noteBehind(0n);
      await pause(jitteredDelayMs(STANDBY, 1) + STANDBY.firstMs / 2, ended);
      return true;
    }
    [standsBy, leads] = [false, true];
    counters.leads++;
    let failure: Error | undefined;
    try {
      const parts = { ...options, health, mirrorStatus: status, noteWritten, setWake };
      await leadMirror({ ...parts, reconcile: compare }, writer, ended);
      return !ended.aborted && writer.lost.aborted;
    } catch (error) {
      failure = error instanceof Error ? error : new Error("the mirror failed", { cause: error });
      throw failure;
    } finally {
      leads = false;
      await writer.release(failure);
    }
  }

  /** Whoever leads moves the state with every checkpoint; the lock alone may outlive its holder. */
  async function noteLeader(): Promise<void> {
    const { revision } = await storage.readState();
    if (revision !== ledRevision) health.noteHeard();
    ledRevision = revision;
  }

  function setWake(wake: () => void): void {
    wakeReporter = wake;
  }

  async function run(): Promise<void> {
    for (let failures = 0, goesOn = true; goesOn && !ended.aborted; ) {
      try {
        goesOn = await lead((written) => {
          if (written.item.type !== "hello") failures = 0;
          note(written);
        });
      } catch (error) {
        if (isFinal(error)) return end(error);
        health.noteError(error);
        const attempt = ++failures;
        const delayMs = error instanceof MirrorConflictError ? 0 : jitteredDelayMs(RETRY, attempt);
        counters.failures++;
        standsBy = false;
        status.publish({ type: "reconnecting", attempt, delayMs, error });
        await pause(delayMs, ended);
      }
    }
    end(undefined);
  }

  function end(error: unknown): void {
    health[Symbol.dispose]();
    status.close(error);
  }

  const running = run();
  return {
    waiting,
    readStatus: status.read,
    counters: () => ({ ...counters }),
    metrics() {
      const { position } = place;
      return { ...counters, ...health.metrics(), leading: leads, position };
    },
    reconcile: compare,
    ready,
    async readState() {
      await ready();
      return await storage.readState();
    },
    async close() {
      closing.abort();
      await running;
    },
  };
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const NOTHING_DONE: UserMirrorCounters = {
  items: 0,
  written: 0,
  created: 0,
  removed: 0,
  snapshots: 0,
  leads: 0,
  failures: 0,
};

const LIMIT_MS = 60_000;
const RETRY = { firstMs: 200, longestMs: 30_000 };
/** An instance that stands by looks for the lead after half a second to one and a half. */
const STANDBY = { firstMs: 1_000, longestMs: 1_000 };

/** Trying again with the same key, Site and tables would end in the same way. */
function isFinal(error: unknown): boolean {
  return error instanceof MirrorError || FINAL.has(reasonOf(error));
}

const FINAL: ReadonlySet<ErrorReason | undefined> = new Set([
  ErrorReason.CREDENTIAL_INVALID,
  ErrorReason.ACCESS_DENIED,
  ErrorReason.INVALID_FIELD,
  ErrorReason.SITE_NOT_FOUND,
]);
