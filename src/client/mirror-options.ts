import type { User } from "../../gen/signet/v1/user_pb.ts";
import type { UserMirrorEvent } from "./mirror-report.ts";
import type { MirrorStorage } from "./mirror-storage.ts";
import type { MirrorConnection } from "./postgres-connection.ts";
import type { PostgresMirrorPlace } from "./postgres-mirror.ts";
import type { SignetClient } from "./signet-client.ts";
import type { SubscriptionStatus } from "./subscription-status.ts";

/** What to mirror, and how. */
export interface UserMirrorOptions<Transaction> {
  /** Its key needs the scope `sync`; the Mirror has the fields that the key may see. */
  readonly client: Pick<SignetClient, "subscribe" | "users" | "sync">;
  /** The Site. Needed with an operator key only. */
  readonly siteId?: string | undefined;
  /**
   * What becomes of a User who is deleted: `keep`, the default, leaves the row with `deleted`
   * set and its personal data erased; `delete` removes it.
   */
  readonly tombstones?: "keep" | "delete" | undefined;
  /**
   * Writes what the app has of its own for new Users, in the transaction that inserts their
   * rows: what it throws undoes that, and it is tried again. At most 500 Users; tombstones are
   * not among them. It may run again for a User after an attempt that came to nothing.
   */
  readonly onCreate?:
    | ((transaction: Transaction, users: readonly User[]) => Promise<void>)
    | undefined;
  /**
   * What people call the Mirror where Signet lists it, 1 to 200 characters; default: the table's
   * name, or `users`.
   */
  readonly name?: string | undefined;
  /**
   * Whether to tell Signet how the Mirror is; default true. Not for one that runs now and then:
   * Signet would call it silent in between.
   */
  readonly reports?: boolean | undefined;
  /**
   * How often the leading instance compares the Mirror with the Site and puts right what
   * differs, in seconds; default 86,400 (a day); 0: only where sums or cursors give a reason.
   */
  readonly reconcileEverySeconds?: number | undefined;
  /** How often that comparison is a deep one, in seconds; default 604,800 (a week); 0: never. */
  readonly deepReconcileEverySeconds?: number | undefined;
  /** How long the Mirror may lag before that is an event, in milliseconds; default 60,000. */
  readonly lagLimitMs?: number | undefined;
  /** How long nothing may be heard before that is an event, in milliseconds; default 60,000. */
  readonly silenceLimitMs?: number | undefined;
  /** Told of what a person may have to look at. What it throws is ignored. */
  readonly onEvent?: ((event: UserMirrorEvent) => void) | undefined;
  /** As in SubscribeOptions. */
  readonly clientId?: string | undefined;
  /** As in SubscribeOptions. */
  readonly heartbeatSeconds?: number | undefined;
  /** Closes the Mirror when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** A Mirror in any storage. */
export interface StoredMirrorOptions<Transaction> extends UserMirrorOptions<Transaction> {
  readonly storage: MirrorStorage<Transaction>;
}

/** A Mirror in a PostgreSQL of the app. */
export interface PostgresMirrorOptions
  extends UserMirrorOptions<MirrorConnection>,
    PostgresMirrorPlace {}

/** What a Mirror is doing: that of its subscription, or something of its own. */
export type UserMirrorStatus = SubscriptionStatus | OwnMirrorStatus;

/** What only a Mirror does. */
export type OwnMirrorStatus =
  /** Another instance leads. */
  | { readonly type: "standby" }
  /** Its sums are not those of the Site: so many Users too many or, below 0, too few. */
  | { readonly type: "diverged"; readonly drift: bigint }
  /** It is compared with the Site, and what differs put right. The stream goes on meanwhile. */
  | { readonly type: "repairing"; readonly found: number; readonly repaired: number };

/** What this instance has done since it was made. */
export interface UserMirrorCounters {
  /** Items of the stream that were written. */
  readonly items: number;
  /** Rows inserted or replaced. */
  readonly written: number;
  /** Rows inserted. */
  readonly created: number;
  /** Rows deleted or made a tombstone. */
  readonly removed: number;
  /** Snapshots begun. */
  readonly snapshots: number;
  /** How often it took the lead. */
  readonly leads: number;
  /** How often it lost the stream or the storage. */
  readonly failures: number;
}

/** What this instance has done since it was made, and how it is now. */
export interface UserMirrorMetrics extends UserMirrorCounters {
  /** Users found missing, stale, extra or altered by comparisons: "here but not there". */
  readonly usersDiffering: number;
  /** Rows that comparisons have put right. */
  readonly usersRepaired: number;
  /** Comparisons that came to an end. */
  readonly reconciles: number;
  /** Comparisons that failed on the way. */
  readonly reconcileFailures: number;
  /** Checkpoints whose sums were compared with those of the rows. */
  readonly checkpointsCompared: number;
  /** Times the Mirror was out of sync: diverged, or behind for longer than the limit. */
  readonly outOfSync: number;
  /** Times nothing was heard for longer than the limit. */
  readonly deliveryFailures: number;
  /** Reports to Signet that did not arrive. */
  readonly reportFailures: number;
  /** Whether this instance leads; what follows is known to the one that leads alone. */
  readonly leading: boolean;
  /** The position up to which everything is written. */
  readonly position: bigint;
  /** Changes that are still to be written. */
  readonly behind: bigint;
  /** Whether the sums of the last checkpoint were those of the rows; undefined: not compared. */
  readonly sumsEqual: boolean | undefined;
  /** Since when nothing was heard of Signet, in milliseconds. */
  readonly silentMs: number;
}

/** A User, as of a version. */
export interface UserVersion {
  readonly userId: string;
  readonly version: bigint;
}
