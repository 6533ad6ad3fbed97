/** How a comparison of a Mirror with its Site goes. */
export interface ReconcileOptions {
  /** Whether to put right what differs; default true. */
  readonly repair?: boolean | undefined;
  /**
   * Whether to look, besides, at each row's content, which tells of writes that went past the
   * guard. Reads the whole table; default false.
   */
  readonly deep?: boolean | undefined;
  /** Ends it when aborted; what was put right by then stays so. */
  readonly signal?: AbortSignal | undefined;
  /** Told of each step. What it throws ends the comparison. */
  readonly onProgress?: ((progress: ReconcileProgress) => void) | undefined;
}

/** How far a comparison has come. */
export interface ReconcileProgress {
  /** Of the leaves of Users, 65,536 in all, so many differ and are compared row by row. */
  readonly leavesTotal: number;
  readonly leavesDone: number;
  /** Users that differ, as far as was found. */
  readonly found: number;
  /** Rows that were put right. */
  readonly repaired: number;
}

/** What a comparison of a Mirror with its Site has found. */
export interface ReconcileReport extends Omit<ReconcileRecord, "finishTime"> {
  readonly finishTime: Date;
  /** Calls to Signet. */
  readonly messages: number;
  /** Bytes of their requests and answers. */
  readonly bytes: number;
}

/** A comparison, as a Mirror remembers it. */
export interface ReconcileRecord {
  /** When it ended; ISO 8601. */
  readonly finishTime: string;
  readonly deep: boolean;
  /** Whether what differed was to be put right. */
  readonly repair: boolean;
  readonly epoch: number;
  /** The position at which both were compared. */
  readonly position: bigint;
  /** Users whom the Mirror lacked. */
  readonly missing: number;
  /** Users whom the Mirror had in an older version. */
  readonly stale: number;
  /** Users of the Mirror whom the Site has not. */
  readonly extra: number;
  /** Users whose row had another content than its version has, or a version that never was. */
  readonly altered: number;
  /** Rows that were put right. */
  readonly repaired: number;
}

/** In what a row differs from the Site's User; see {@link ReconcileRecord}. */
export type UserDifference = "missing" | "stale" | "extra" | "altered";

/** Something about a Mirror that a person may have to look at. */
export type UserMirrorEvent =
  /** A User is there and not here, here and not there, or not the same. */
  | {
      readonly type: "user_differs";
      readonly userId: string;
      readonly difference: UserDifference;
      /** Whether the row is right now. */
      readonly repaired: boolean;
    }
  /** The Mirror as a whole is not what the Site is. */
  | {
      readonly type: "out_of_sync";
      /**
       * `diverged`: the sums of a checkpoint are not those of the rows; a comparison follows.
       * `not_cured`: they still are not, after a comparison that put everything right; the next
       * one waits, longer each time. `lagging`: it was behind for longer than the limit.
       */
      readonly cause: "diverged" | "not_cured" | "lagging";
      /** How many Users the Mirror has too many or, below 0, too few. */
      readonly drift: bigint;
      /** How many Changes are still to be written. */
      readonly behind: bigint;
    }
  /** Nothing was received for longer than the limit. */
  | {
      readonly type: "delivery_failing";
      /** For how long, in milliseconds. */
      readonly silentMs: number;
      /** What the last attempt has failed with; undefined: it has not ended yet. */
      readonly error: unknown;
    }
  /** What `out_of_sync` or `delivery_failing` told of is over. */
  | { readonly type: "in_sync" };
