/** What the rows about commits ask of the process that writes. */
export type WriteOrder =
  | { readonly type: "start"; readonly dataDir: string }
  | ({ readonly type: "write"; readonly contender: "signet" | "bare" } & Pace);

/** So many writes, on average so far apart, whatever becomes of those before. */
export interface Pace {
  readonly count: number;
  readonly intervalMs: number;
}

/** What it answers to each. */
export interface WriteReply {
  /** To `start`. */
  readonly started?: { readonly url: string; readonly siteKey: string; readonly adminUrl: string };
  /** To `write`. */
  readonly commits?: readonly Commit[];
}

/** When what was written was committed, in milliseconds since 1970, as PostgreSQL noted it. */
export interface Commit {
  readonly id: string;
  readonly commitMs: number;
}

/** The channel on which the yardstick notifies, with the id of what was written. */
export const YARDSTICK_CHANNEL = "bench";
