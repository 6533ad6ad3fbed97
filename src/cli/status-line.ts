import type { UserMirrorEvent, UserMirrorStatus } from "../client/index.ts";
import type { Context } from "./context.ts";
import { describeError } from "./error-line.ts";

/** Says in one line what a subscription or a Mirror is doing. */
export function describeStatus(
  status: UserMirrorStatus,
  environment: Context["environment"],
): string {
  switch (status.type) {
    case "snapshot":
      return `snapshot: ${status.received} of ${status.total} Users`;
    case "lagging":
      return status.behind === undefined ? "catching up" : `${status.behind} Changes behind`;
    case "reconnecting": {
      const wait = `again in ${(status.delayMs / 1_000).toFixed(1)} s`;
      if (status.error === undefined) return `the stream has ended in good order; ${wait}`;
      return `${describeError(status.error, environment)}; ${wait}`;
    }
    case "standby":
      return "standby: another instance leads";
    case "diverged":
      return `diverged: other Users than the Site has (${status.drift} too many)`;
    case "repairing":
      return `repairing: ${status.found} Users differ, ${status.repaired} are put right`;
    case "closed":
      return status.error === undefined
        ? "closed"
        : `closed: ${describeError(status.error, environment)}`;
    default:
      return status.type;
  }
}

/** Says in one line what a person may have to look at. */
export function describeEvent(event: UserMirrorEvent, environment: Context["environment"]): string {
  switch (event.type) {
    case "user_differs": {
      const outcome = event.repaired ? "and was put right" : "and still is";
      return `User ${event.userId} was ${event.difference}, ${outcome}`;
    }
    case "out_of_sync":
      return `out of sync: ${event.cause}, ${event.drift} Users too many, ${event.behind} behind`;
    case "delivery_failing": {
      const seconds = Math.round(event.silentMs / 1_000);
      const cause = event.error === undefined ? "" : `: ${describeError(event.error, environment)}`;
      return `nothing was heard of Signet for ${seconds} s${cause}`;
    }
    case "in_sync":
      return "in sync again";
  }
}
