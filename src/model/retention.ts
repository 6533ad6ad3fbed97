/** How long what is no longer needed is kept. */
export interface Retention {
  /** A Change stays in the log for so many days, */
  readonly changeDays: number;
  /** and for as long as it is among so many newest ones, over all Sites. */
  readonly changeRows: number;
  /** How long a tombstone stays, in days after the deletion. */
  readonly tombstoneDays: number;
}
