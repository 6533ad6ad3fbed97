/** Decides which transactions of one process number their own changes: one at a time. */
export interface NumberingTurns {
  /** Begins a transaction that changes something. */
  begin(): NumberingTurn;
  /** Tells whether a transaction is numbering, at the latest until its commit is answered. */
  isTaken(): boolean;
}

/** The part of one transaction. */
export interface NumberingTurn {
  /** Takes the turn if it is free, just before the commit. */
  mayNumber(): boolean;
  /** Gives it back, however the transaction has ended. */
  end(): void;
}

/**
 * Where more write at the same time, the readers number for all: what those who commit together
 * leave to them is then more than what one commit brings, and a large step costs each change less.
 */
const WRITERS_MAX = 4;

/** Creates the turns of one process. */
export function createNumberingTurns(): NumberingTurns {
  let writers = 0;
  let isTaken = false;
  return {
    begin() {
      writers += 1;
      let isMine = false;
      return {
        mayNumber() {
          isMine ||= !isTaken && writers <= WRITERS_MAX;
          isTaken ||= isMine;
          return isMine;
        },
        end() {
          writers -= 1;
          if (isMine) isTaken = false;
        },
      };
    },
    isTaken: () => isTaken,
  };
}
