import type { User } from "../../gen/signet/v1/user_pb.ts";
import type { MirrorStorage } from "./mirror-storage.ts";
import type { MirrorConnection } from "./postgres-connection.ts";
import type { PostgresMirrorPlace } from "./postgres-mirror.ts";
import type { SignetClient } from "./signet-client.ts";
import type { SubscriptionStatus } from "./subscription-status.ts";

/** What to mirror, and how. */
export interface UserMirrorOptions<Transaction> {
  /** Its key needs the scope `sync`; the Mirror has the fields that the key may see. */
  readonly client: Pick<SignetClient, "subscribe" | "users">;
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

/** What a Mirror is doing: that of its subscription, or standing by while another one leads. */
export type UserMirrorStatus = SubscriptionStatus | { readonly type: "standby" };

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

/** A User, as of a version. */
export interface UserVersion {
  readonly userId: string;
  readonly version: bigint;
}
