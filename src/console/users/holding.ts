import { type Mirror, MirrorState } from "../../../gen/signet/v1/change_pb.ts";
import type { User } from "../../../gen/signet/v1/user_pb.ts";
import { millisecondsOf } from "../parts/moment.ts";

/** Whether a Mirror holds a User as it is now, holds an earlier state or none, or cannot tell. */
export type Holding = "current" | "earlier" | "uncertain";

/**
 * Concludes from a Mirror's report whether it holds a User as it is now.
 *
 * A Mirror that lags lacks nothing older than its lag. `asOfMs`, a time on the server's clock that
 * is not after the report, keeps the reader's own clock out of it.
 */
export function holdingOf(
  mirror: Pick<Mirror, "state" | "lagChanges" | "lagMs">,
  user: Pick<User, "updateTime">,
  asOfMs: number | undefined,
): Holding {
  const { state, lagChanges, lagMs } = mirror;
  const isWhole = state === MirrorState.LIVE || state === MirrorState.LAGGING;
  if (!isWhole && state !== MirrorState.DISCONNECTED) return "uncertain";
  if (lagChanges === 0n) return "current";
  const updatedMs = millisecondsOf(user.updateTime);
  if (asOfMs === undefined || updatedMs === undefined) return "uncertain";
  return updatedMs < asOfMs - Number(lagMs) ? "current" : "earlier";
}
