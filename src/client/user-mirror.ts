import type { User } from "../../gen/signet/v1/user_pb.ts";
import type {
  PostgresMirrorOptions,
  StoredMirrorOptions,
  UserMirrorCounters,
  UserMirrorMetrics,
  UserMirrorStatus,
  UserVersion,
} from "./mirror-options.ts";
import type { ReconcileOptions, ReconcileReport } from "./mirror-report.ts";
import { createMirrorRunner } from "./mirror-runner.ts";
import { isTombstone } from "./mirror-step.ts";
import type { WaitOptions } from "./mirror-waiting.ts";
import { createPostgresMirror } from "./postgres-mirror.ts";
import { createUserFetcher } from "./user-fetcher.ts";

/**
 * A copy of a Site's Users in the app's own database, kept current.
 *
 * It begins to work as it is made: fills itself by a snapshot, then follows every Change. Of the
 * instances that share a storage one leads and the others stand by; where the leading one ends
 * or loses its connection, another takes over within about a second, from the same place.
 *
 * **Exactly once in effect**: rows and cursor change in one transaction, and a row never goes
 * back to a lower version, whatever repeats and whenever a process dies.
 *
 * **Failures** of the stream or the storage are shown by `status`, and tried again after a
 * random time within a window that grows from 0.2 to 30 s. It closes by itself where trying
 * again would not help: the key was withdrawn or may not sync, or the tables or the Site do not
 * fit; and after the Site was deleted, with all rows.
 */
export interface UserMirror extends AsyncDisposable {
  /** As that of a Subscription, of what is written. */
  readonly status: AsyncIterable<UserMirrorStatus>;
  readonly counters: UserMirrorCounters;
  /**
   * Waits until the Mirror holds all Users of the Site, whichever instance fills it.
   *
   * @throws {MirrorTimeoutError} where that takes longer than `timeoutMs`.
   */
  waitUntilFilled(options?: WaitOptions): Promise<void>;
  /**
   * Waits until the Mirror holds this version of a User or a later one, so that an app reads
   * what it has just written: login and every write answer with id and version.
   *
   * @throws {MirrorTimeoutError} where that takes longer than `timeoutMs`.
   */
  waitFor(user: UserVersion, options?: WaitOptions): Promise<void>;
  /**
   * Reads a User from Signet and makes sure that the Mirror has them, for a User whose row is
   * needed before the stream brings it. Safe beside the stream, since versions decide. Answers
   * undefined where the Site has no such User, or only a tombstone.
   */
  ensureUser(userId: string): Promise<User | undefined>;
  /**
   * Compares the Mirror with the Site by digests and, unless asked otherwise, puts right what
   * differs. Any instance may; the leading one does so by itself from time to time, and whenever
   * sums or cursors give a reason. It moves some kilobytes where little differs.
   *
   * What is on its way counts as no difference: both are compared at a position, and what then
   * differs once more.
   *
   * @throws {MirrorTimeoutError} where the Mirror does not come up to the Site's position.
   */
  reconcile(options?: ReconcileOptions): Promise<ReconcileReport>;
  /** The counters, and how the Mirror is. */
  metrics(): UserMirrorMetrics;
  /** How often the database has refused a write by others to the Mirror's columns. */
  foreignWrites(): Promise<bigint>;
  /** Ends the Mirror, after what is being written. */
  close(): Promise<void>;
}

/** Makes a Mirror of a Site's Users, and starts it; see {@link UserMirror}. */
export function createUserMirror(options: PostgresMirrorOptions): UserMirror;
export function createUserMirror<Transaction>(
  options: StoredMirrorOptions<Transaction>,
): UserMirror;
export function createUserMirror(
  options: PostgresMirrorOptions | StoredMirrorOptions<never>,
): UserMirror {
  return "pool" in options
    ? openMirror({ name: options.table, ...options, storage: createPostgresMirror(options) })
    : openMirror(options);
}

function openMirror<Transaction>(options: StoredMirrorOptions<Transaction>): UserMirror {
  const { client, storage, tombstones = "keep", onCreate, siteId = "" } = options;
  const rules = { tombstones, onCreate };
  const fetchUsers = createUserFetcher(client);
  const runner = createMirrorRunner({ ...options, rules, fetchUsers });
  return {
    status: { [Symbol.asyncIterator]: runner.readStatus },
    get counters() {
      return runner.counters();
    },
    async waitUntilFilled(wait = {}) {
      const isFilled = async () => {
        const { phase, position, exactPosition } = await runner.readState();
        return phase === "site_deleted" || (phase === "tail" && position >= exactPosition);
      };
      await runner.waiting.until(isFilled, () => false, wait);
    },
    async waitFor({ userId, version }, wait = {}) {
      const isHeld = async () => ((await storage.versionOf(userId)) ?? -1n) >= version;
      const isIn = (users: readonly User[]) =>
        users.some((user) => user.id === userId && user.version >= version);
      await runner.ready();
      await runner.waiting.until(isHeld, isIn, wait);
    },
    async ensureUser(userId) {
      // The origin is read first: what is then fetched is never older than it says.
      const state = await runner.readState();
      const [user] = await fetchUsers([userId], state.siteId || siteId);
      if (!user) return undefined;
      await storage.merge([user], state, rules);
      runner.waiting.note([user]);
      return isTombstone(user) ? undefined : user;
    },
    reconcile: (reconcileOptions = {}) => runner.reconcile(reconcileOptions),
    metrics: runner.metrics,
    async foreignWrites() {
      await runner.ready();
      return await storage.foreignWrites();
    },
    close: runner.close,
    [Symbol.asyncDispose]: runner.close,
  };
}
