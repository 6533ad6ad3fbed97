import { ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import { jitteredDelayMs, pause } from "./backoff.ts";
import { reasonOf } from "./errors.ts";
import { MirrorConflictError, MirrorError } from "./mirror-error.ts";
import { followInto, type Written } from "./mirror-follower.ts";
import type {
  StoredMirrorOptions,
  UserMirrorCounters,
  UserMirrorStatus,
} from "./mirror-options.ts";
import type { MirrorRules, MirrorState } from "./mirror-storage.ts";
import { createMirrorWaiting, type MirrorWaiting } from "./mirror-waiting.ts";
import { createStatusFeed } from "./subscription-status.ts";
import type { UserFetcher } from "./user-fetcher.ts";

/** The work of a Mirror in the background. */
export interface MirrorRunner {
  readonly waiting: MirrorWaiting;
  readStatus(): AsyncGenerator<UserMirrorStatus, void, undefined>;
  counters(): UserMirrorCounters;
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
  const status = createStatusFeed<{ readonly type: "standby" }>();
  const waiting = createMirrorWaiting();
  const counters: Mutable<UserMirrorCounters> = { ...NOTHING_DONE };
  let prepared: Promise<void> | undefined;
  let standsBy = false;

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
  }

  /** Answers whether there is more to do. */
  async function lead(noteWritten: (written: Written) => void): Promise<boolean> {
    await ready();
    const writer = await storage.lead();
    if (!writer) {
      if (!standsBy) status.publish({ type: "standby" });
      standsBy = true;
      await pause(jitteredDelayMs(STANDBY, 1) + STANDBY.firstMs / 2, ended);
      return true;
    }
    standsBy = false;
    counters.leads++;
    let failure: Error | undefined;
    try {
      const { publish } = status;
      const { rules, fetchUsers } = options;
      const subscribe = (cursor: string, signal: AbortSignal) =>
        options.client.subscribe({ ...subscriptionOptions(options), cursor, signal });
      const parts = { writer, rules, fetchUsers, subscribe, publish, noteWritten };
      await followInto({ ...parts, signal: ended });
      return !ended.aborted && writer.lost.aborted;
    } catch (error) {
      failure = error instanceof Error ? error : new Error("the mirror failed", { cause: error });
      throw failure;
    } finally {
      await writer.release(failure);
    }
  }

  async function run(): Promise<void> {
    for (let failures = 0, goesOn = true; goesOn && !ended.aborted; ) {
      try {
        goesOn = await lead((written) => {
          if (written.item.type !== "hello") failures = 0;
          note(written);
        });
      } catch (error) {
        if (isFinal(error)) return status.close(error);
        const attempt = ++failures;
        const delayMs = error instanceof MirrorConflictError ? 0 : jitteredDelayMs(RETRY, attempt);
        counters.failures++;
        standsBy = false;
        status.publish({ type: "reconnecting", attempt, delayMs, error });
        await pause(delayMs, ended);
      }
    }
    status.close(undefined);
  }

  const running = run();
  return {
    waiting,
    readStatus: status.read,
    counters: () => ({ ...counters }),
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

function subscriptionOptions<Transaction>(options: RunnerOptions<Transaction>) {
  const { siteId, clientId, heartbeatSeconds } = options;
  return { ...(siteId && { siteId }), clientId, heartbeatSeconds };
}
