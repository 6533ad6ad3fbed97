/**
 * How long streams last and how far they may lag, in one place. Units stand last in the names;
 * tests replace some values by shorter ones.
 */
export const STREAM_BOUNDS = {
  /** Streams end after this time, give or take a fifth, so that load is spread anew. */
  ageMs: 30 * 60_000,
  ageSpread: 0.2,
  /** How often each stream is looked at: its age, its heartbeat, its reader. */
  sweepMs: 250,
  /** A reader that has taken nothing for so long is cut. */
  unreadMsMax: 30_000,
  /** A reader that stays so far behind for so long is cut. */
  behindMax: 1_000_000,
  behindMsMax: 5 * 60_000,
  /** Reads of log and snapshots at once; each holds a database connection. */
  readsMax: 4,
  /** Those that end together come back spread over this time, or longer if there are many. */
  returnMs: 2_000,
  returnMsPerStream: 2,
  /** How long streams have to say goodbye when the process shuts down. */
  drainMsMax: 2_000,
} as const;

/** The values of {@link STREAM_BOUNDS}, any of which may differ. */
export type StreamBounds = { readonly [Name in keyof typeof STREAM_BOUNDS]: number };
