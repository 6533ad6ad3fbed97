import type { MirrorState } from "./mirror-storage.ts";
import type { SubscriptionItem } from "./subscription-item.ts";
import type { SubscriptionStatus } from "./subscription-status.ts";

/** Tells, item by item, what a Mirror is doing once the item is written. */
export function createMirrorProgress(): (
  item: SubscriptionItem,
  state: MirrorState,
) => SubscriptionStatus {
  let head = 0n;
  let [received, total] = [0, 0];
  return (item, state) => {
    if (item.type === "hello") [received, total] = [0, Number(item.userCount)];
    if (item.type === "snapshot_page") received += item.users.length;
    if (item.type === "hello" || item.type === "checkpoint") head = item.head;
    if (state.phase === "snapshot") return { type: "snapshot", received, total };
    const known = head > state.exactPosition ? head : state.exactPosition;
    const behind = known - state.position;
    return behind > 0n ? { type: "lagging", behind } : { type: "live" };
  };
}
