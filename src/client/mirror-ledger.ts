import {
  type MirrorRules,
  type MirrorState,
  type MirrorWriter,
  type MoveResult,
  NO_ROWS,
} from "./mirror-storage.ts";

/** The state of a Mirror in the hands of its leading instance: one move at a time. */
export interface MirrorLedger {
  readonly state: MirrorState;
  /** Moves from the present state, once the moves before have come to their end. */
  move(run: (state: MirrorState) => Promise<MoveResult>): Promise<MoveResult>;
  /** Notes that a comparison has found, and put right, what was missed before a position. */
  endComparison(epoch: number, position: bigint): Promise<void>;
}

/** Reads the state, and holds it from then on. */
export async function openLedger<Transaction>(
  writer: MirrorWriter<Transaction>,
  rules: MirrorRules<Transaction>,
): Promise<MirrorLedger> {
  let state = await writer.readState();
  let last: Promise<unknown> = Promise.resolve();

  function move(run: (present: MirrorState) => Promise<MoveResult>): Promise<MoveResult> {
    const turn = last.then(async () => {
      const moved = await run(state);
      state = moved.state;
      return moved;
    });
    last = turn.catch(() => undefined);
    return turn;
  }

  return {
    get state() {
      return state;
    },
    move,
    async endComparison(epoch, exactPosition) {
      await move((present) => {
        const isMeant = present.phase === "compare" && present.epoch === epoch;
        const to = isMeant ? ({ ...present, phase: "tail", exactPosition } as const) : present;
        return writer.move(present, to, NO_ROWS, rules);
      });
    },
  };
}
