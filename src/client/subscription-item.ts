import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { Change, Sums } from "../../gen/signet/v1/change_pb.ts";
import type { WatchUsersResponse } from "../../gen/signet/v1/sync_service_pb.ts";
import type { User } from "../../gen/signet/v1/user_pb.ts";

/**
 * What a subscription delivers. Each item but the last has the cursor that resumes after it:
 * store it in the transaction that applies the item.
 */
export type SubscriptionItem =
  | HelloItem
  | SnapshotPageItem
  | SnapshotEndItem
  | ChangesItem
  | CheckpointItem
  | SiteDeletedItem;

/** A connection stands. Comes first, and again after each reconnect. */
export interface HelloItem {
  readonly type: "hello";
  readonly siteId: string;
  /** Positions of different epochs do not compare. */
  readonly epoch: number;
  /** The position of the Site's newest Change. */
  readonly head: bigint;
  /** The position of the oldest Change that is kept. */
  readonly oldestPosition: bigint;
  /** Whether a snapshot follows, or what is left of one. */
  readonly snapshot: boolean;
  /** How many Users the Site has, tombstones left out. */
  readonly userCount: bigint;
  /** The fields of User that the key may see; empty: all. */
  readonly userFields: readonly string[];
  readonly serverTime: Timestamp | undefined;
  readonly cursor: string;
}

/** A part of the snapshot, in the order of User ids, tombstones included. */
export interface SnapshotPageItem {
  readonly type: "snapshot_page";
  /** At most 500. */
  readonly users: readonly User[];
  readonly cursor: string;
}

/** The snapshot is complete; the Changes since its beginning follow. */
export interface SnapshotEndItem {
  readonly type: "snapshot_end";
  /** From this position on the sums of checkpoints may be compared. */
  readonly position: bigint;
  /** The position after which the Changes begin. */
  readonly tailPosition: bigint;
  readonly cursor: string;
}

/** Changes, in the order of their positions. */
export interface ChangesItem {
  readonly type: "changes";
  /** At most 500; each holds its User's whole state. */
  readonly changes: readonly Change[];
  /** The item covers the positions after this one… */
  readonly previousPosition: bigint;
  /** …up to this one. */
  readonly position: bigint;
  readonly cursor: string;
}

/** Everything up to `position` has been delivered. */
export interface CheckpointItem {
  readonly type: "checkpoint";
  readonly position: bigint;
  /** The position of the Site's newest Change. */
  readonly head: bigint;
  /** The sums of the whole Site at `position`; undefined with a filter and while catching up. */
  readonly sums: Sums | undefined;
  readonly serverTime: Timestamp | undefined;
  readonly cursor: string;
}

/** The Site was deleted: treat all of its Users as deleted. Always the last item. */
export interface SiteDeletedItem {
  readonly type: "site_deleted";
  readonly cursor: undefined;
}

/** Reads a frame of the stream; undefined for a Goodbye and for what a newer server may send. */
export function toItem({ frame }: WatchUsersResponse): SubscriptionItem | undefined {
  switch (frame.case) {
    case "hello": {
      const { siteId, epoch, head, oldestPosition, snapshot, userCount } = frame.value;
      const { userFields, serverTime, cursor } = frame.value;
      const place = { siteId, epoch, head, oldestPosition, snapshot, userCount };
      return { type: "hello", ...place, userFields, serverTime, cursor };
    }
    case "snapshotPage": {
      const { users, cursor } = frame.value;
      return { type: "snapshot_page", users, cursor };
    }
    case "snapshotEnd": {
      const { position, tailPosition, cursor } = frame.value;
      return { type: "snapshot_end", position, tailPosition, cursor };
    }
    case "changeBatch": {
      const { changes, previousPosition, position, cursor } = frame.value;
      return { type: "changes", changes, previousPosition, position, cursor };
    }
    case "checkpoint": {
      const { position, head, sums, serverTime, cursor } = frame.value;
      return { type: "checkpoint", position, head, sums, serverTime, cursor };
    }
    default:
      return undefined;
  }
}
