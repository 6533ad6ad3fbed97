import type { User } from "../../gen/signet/v1/user_pb.ts";
import type { ReconcileRecord } from "./mirror-report.ts";
import type { MirrorSums } from "./mirror-sums.ts";

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
  /** Reads where the Mirror stands; every instance may. */
  readState(): Promise<MirrorState>;
  /**
   * Writes Users that were read beside the stream; every instance may. A row is replaced by a
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
  /** Sums up the rows of every leaf, tombstones left out, and reads the state at that instant. */
  readDigests(): Promise<MirrorDigests>;
  /** Lists the rows of some leaves, tombstones included; at most 1,024 leaves. */
  listLeaves(leaves: readonly number[]): Promise<LeafRow[]>;
  /**
   * Looks at the next rows by id, some ten thousand, for those whose content is not that with
   * which they were written, tombstones included. `after` is empty for the first.
   */
  listAltered(after: string): Promise<AlteredRows>;
  /** Puts right what a comparison has found; every instance may. Otherwise like `merge`. */
  repair(
    repair: MirrorRepair,
    origin: RowOrigin,
    rules: MirrorRules<Transaction>,
  ): Promise<WriteResult>;
  /** Reads what does not depend on the stream. */
  readRecord(): Promise<MirrorRecord>;
  /** Remembers a comparison as the last one. */
  noteReconcile(record: ReconcileRecord): Promise<void>;
}

/** What the leading instance does. It loses the lead with its connection. */
export interface MirrorWriter<Transaction> {
  /** Aborted once the lead is known to be lost; it may be lost sooner. */
  readonly lost: AbortSignal;
  readState(): Promise<MirrorState>;
  /**
   * Writes and moves the state in one transaction. Besides what `merge` replaces, a row gives
   * way to the same version under another scope. Sums move with the rows; a move out of phase
   * `snapshot` counts them.
   *
   * @throws {MirrorConflictError} where the state has no longer the revision of `from`.
   */
  move(
    from: MirrorState,
    to: MirrorPlace,
    write: MirrorWrite,
    rules: MirrorRules<Transaction>,
  ): Promise<MoveResult>;
  /** Lists Users, no tombstones, of an id range in id order: at most `limit` not in `except`. */
  listRows(range: IdRange, except: readonly string[], limit: number): Promise<RowVersion[]>;
  /** Gives up the lead. With an error the connection is not used again. */
  release(error?: Error): Promise<void>;
}

/** Where a Mirror stands, and what its storage knows of its rows. */
export interface MirrorState extends MirrorPlace {
  /** Rises by one with each move. */
  readonly revision: bigint;
  /** The sums of the rows; undefined before the first snapshot is complete. */
  readonly sums: MirrorSums | undefined;
  /** Rises with each merge or repair that wrote something, which may be ahead of `position`. */
  readonly merges: bigint;
}

/** Where a Mirror stands among the Changes of its Site. */
export interface MirrorPlace extends RowOrigin {
  readonly phase: MirrorPhase;
  /** The Site that is mirrored; empty: not known before the first hello. */
  readonly siteId: string;
  /** The position up to which every Change is applied, in phases `tail` and `compare`. */
  readonly position: bigint;
  /** From this position on the Mirror holds exactly the Users of the Site. */
  readonly exactPosition: bigint;
  /** Resumes the stream; empty: from the start. */
  readonly cursor: string;
  /** During a snapshot the last id that it has covered; empty: none. */
  readonly snapshotAfter: string;
}

/**
 * What a Mirror is filled by: nothing yet, a snapshot, Changes, or nothing any more. In phase
 * `compare` it was filled once and follows the Changes, but has missed some before, which a
 * comparison by digests is to find.
 */
export type MirrorPhase = "new" | "snapshot" | "compare" | "tail" | "site_deleted";

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
  /** Called in the transaction with the Users whose rows are new, at most 500 at a time. */
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

/** The sums of a Mirror's leaves. */
export interface MirrorDigests {
  readonly state: MirrorState;
  /** By the number of the leaf, 0 to 65,535; one that is empty is left out. */
  readonly leaves: ReadonlyMap<number, MirrorSums>;
}

/** A row as far as comparing by leaves goes. */
export interface LeafRow extends RowVersion {
  readonly leaf: number;
  /** Whether it is a tombstone. */
  readonly deleted: boolean;
}

/** Some rows that were looked at. */
export interface AlteredRows {
  readonly rows: readonly RowVersion[];
  /** The last id looked at; undefined: that was the last row. */
  readonly next: string | undefined;
}

/** What is to be put right. */
export interface MirrorRepair {
  /** Users as the Site has them, tombstones included. */
  readonly users: readonly User[];
  /**
   * Rows that are wrong whatever their version says, unless they have another one by now: they
   * give way to their User above, and are removed where there is none.
   */
  readonly wrong: readonly RowVersion[];
  /** Whether to count the sums of the state anew, since they are not those of the rows. */
  readonly recount: boolean;
}

/** What a Mirror knows of itself that does not depend on the stream. */
export interface MirrorRecord {
  /** A UUID that was made when the Mirror was set up. */
  readonly id: string;
  /** The last comparison; undefined: there was none. */
  readonly last: ReconcileRecord | undefined;
  /** The last deep one. */
  readonly lastDeep: ReconcileRecord | undefined;
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
  sums: undefined,
  merges: 0n,
};

/** A move that writes no rows. */
export const NO_ROWS: MirrorWrite = { users: [], gone: [], everyone: false };
