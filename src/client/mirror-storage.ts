import type { User } from "../../gen/signet/v1/user_pb.ts";

/**
 * Where a Mirror keeps its rows and its state: the port that a database implements, once for all
 * instances of an app. `Transaction` is what `onCreate` receives to write with.
 *
 * A write takes effect as a whole or not at all, also when the process or its connection dies
 * in the middle; and writes do not overlap, whoever makes them.
 */
export interface MirrorStorage<Transaction> {
  /**
   * Creates what is missing and checks the rest. Called by every instance, more than once.
   *
   * @throws {MirrorError} where what exists does not fit.
   */
  prepare(): Promise<void>;
  /** Becomes the one instance that follows the stream; undefined while another one is. */
  lead(): Promise<MirrorWriter<Transaction> | undefined>;
  /** Reads where the Mirror stands, as any instance may. */
  readState(): Promise<MirrorState>;
  /**
   * Writes Users that were read beside the stream, as any instance may. A row is replaced by a
   * higher epoch and, within an epoch, by a higher version alone.
   */
  merge(
    users: readonly User[],
    origin: RowOrigin,
    rules: MirrorRules<Transaction>,
  ): Promise<WriteResult>;
  /** The version of a row or of a tombstone; undefined where the Mirror has neither. */
  versionOf(userId: string): Promise<bigint | undefined>;
  /** Counts the writes by others that were refused; 0 where none can be told. */
  foreignWrites(): Promise<bigint>;
}

/** What the leading instance does. It loses the lead with its connection. */
export interface MirrorWriter<Transaction> {
  /** Aborted once the lead is known to be lost; it may be lost sooner. */
  readonly lost: AbortSignal;
  readState(): Promise<MirrorState>;
  /**
   * Writes and moves the state in one transaction. Besides what `merge` replaces, a row gives
   * way to the same version under another scope.
   *
   * @throws {MirrorConflictError} where the state has no longer the revision of `from`.
   */
  move(
    from: MirrorState,
    to: Omit<MirrorState, "revision">,
    write: MirrorWrite,
    rules: MirrorRules<Transaction>,
  ): Promise<MoveResult>;
  /** Lists Users, no tombstones, of an id range in id order: at most `limit` not in `except`. */
  listRows(range: IdRange, except: readonly string[], limit: number): Promise<RowVersion[]>;
  /** Gives up the lead. With an error the connection is not used again. */
  release(error?: Error): Promise<void>;
}

/** Where a Mirror stands among the Changes of its Site. */
export interface MirrorState extends RowOrigin {
  /** Rises by one with each move. */
  readonly revision: bigint;
  readonly phase: MirrorPhase;
  /** The Site that is mirrored; empty: not known before the first hello. */
  readonly siteId: string;
  /** The position up to which every Change is applied, in phase `tail`. */
  readonly position: bigint;
  /** From this position on the Mirror holds exactly the Users of the Site. */
  readonly exactPosition: bigint;
  /** Resumes the stream; empty: from the start. */
  readonly cursor: string;
  /** During a snapshot the last id that it has covered; empty: none. */
  readonly snapshotAfter: string;
}

/** What a Mirror is filled by: nothing yet, a snapshot, Changes, or nothing any more. */
export type MirrorPhase = "new" | "snapshot" | "tail" | "site_deleted";

/** Under what a row was read. */
export interface RowOrigin {
  /** Versions of a later epoch win: a restored Signet may have fallen back to lower ones. */
  readonly epoch: number;
  /** The fields of User that could be seen, sorted, with commas; empty: all. */
  readonly scope: string;
}

/** What changes together with the state. */
export interface MirrorWrite {
  /** At most one state of each User, tombstones included. */
  readonly users: readonly User[];
  /** Rows to remove unless they have another version by now. */
  readonly gone: readonly RowVersion[];
  /** Whether to remove every row besides. */
  readonly everyone: boolean;
}

/** The rules of an app for its rows. */
export interface MirrorRules<Transaction> {
  /** What becomes of a deleted User: a row without personal data, or none. */
  readonly tombstones: "keep" | "delete";
  /** Called in the transaction, at most once per write, with the Users whose rows are new. */
  readonly onCreate:
    | ((transaction: Transaction, users: readonly User[]) => Promise<void>)
    | undefined;
}

/** What a write has done. A User that the Mirror had in that version or a higher one is none. */
export interface WriteResult {
  /** Rows inserted or replaced. */
  readonly written: number;
  /** Rows inserted. */
  readonly created: number;
  /** Rows deleted or made a tombstone. */
  readonly removed: number;
}

/** A write, and the state after it. */
export interface MoveResult extends WriteResult {
  readonly state: MirrorState;
}

/** The ids above `after` (empty: from the first) up to `upTo` (empty: to the last). */
export interface IdRange {
  readonly after: string;
  readonly upTo: string;
}

/** A row as far as comparing goes. */
export interface RowVersion {
  readonly id: string;
  readonly epoch: number;
  readonly version: bigint;
}

/** The state of a Mirror that has never been filled. */
export const NEW_MIRROR: MirrorState = {
  revision: 0n,
  phase: "new",
  siteId: "",
  epoch: 0,
  scope: "?", // Not known, and so other than any that is.
  position: 0n,
  exactPosition: 0n,
  cursor: "",
  snapshotAfter: "",
};

/** A move that writes no rows. */
export const NO_ROWS: MirrorWrite = { users: [], gone: [], everyone: false };
