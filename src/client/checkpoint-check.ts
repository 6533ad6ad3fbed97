import type { MirrorState } from "./mirror-storage.ts";
import { isSameSums, readSums } from "./mirror-sums.ts";
import type { CheckpointItem, SubscriptionItem } from "./subscription-item.ts";

/**
 * What a checkpoint says of a Mirror: `equal`; `diverged`; or `unclear`, as rows that were
 * written beside the stream may be ahead of it.
 */
export type CheckpointVerdict = "equal" | "diverged" | "unclear";

/**
 * Compares the sums of checkpoints with those of the rows; undefined where they do not compare.
 *
 * Sums that differ are unclear where something was merged since the checkpoint before: what was
 * merged then, the stream has brought by the next one.
 */
export function createCheckpointCheck(): (
  item: SubscriptionItem,
  state: MirrorState,
) => CheckpointVerdict | undefined {
  let merges: bigint | undefined;
  let last: CheckpointItem | undefined;
  return (item, state) => {
    if (item.type !== "checkpoint" || state.phase !== "tail") return undefined;
    if (isSame(item, last)) return undefined; // It says nothing new.
    last = item;
    const theirs = readSums(item.sums);
    const isComparable = item.position === state.position && item.position >= state.exactPosition;
    if (!theirs || !state.sums || !isComparable) return undefined;
    const isSettled = merges === state.merges;
    merges = state.merges;
    if (isSameSums(theirs, state.sums)) return "equal";
    return isSettled ? "diverged" : "unclear";
  };
}

/** Whether one checkpoint has come twice. */
function isSame(a: CheckpointItem, b: CheckpointItem | undefined): boolean {
  const [time, other] = [a.serverTime, b?.serverTime];
  if (!time || !other || a.position !== b?.position) return false;
  return time.seconds === other.seconds && time.nanos === other.nanos;
}
