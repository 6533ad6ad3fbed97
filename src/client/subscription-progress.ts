import { Code, ConnectError } from "@connectrpc/connect";
import type { SubscriptionItem } from "./subscription-item.ts";
import type { SubscriptionStatus } from "./subscription-status.ts";

/** Keeps track of how far a subscription has come, over all of its connections. */
export interface Progress {
  /** Returns DATA_LOSS where Changes before the item were never received. */
  gapBefore(item: SubscriptionItem): ConnectError | undefined;
  /** Notes an item as received, and tells the status that it leads to. */
  note(item: SubscriptionItem): SubscriptionStatus | undefined;
}

/** Starts with nothing received. With a filter positions jump, so that no gap can be told. */
export function createProgress(hasFilter: boolean): Progress {
  /** Everything up to here is received; undefined: not known yet. */
  let position: bigint | undefined;
  let head = 0n;
  let inSnapshot = false;
  let received = 0;
  let total = 0;

  const snapshot = () => ({ type: "snapshot", received, total }) as const;
  function tail(): SubscriptionStatus {
    const behind = position === undefined ? undefined : head - position;
    return behind !== undefined && behind <= 0n ? { type: "live" } : { type: "lagging", behind };
  }

  return {
    gapBefore(item) {
      if (hasFilter || position === undefined) return undefined;
      const reached = reachedBefore(item);
      if (reached === undefined || reached <= position) return undefined;
      const message = `changes after position ${position} are missing, up to ${reached}`;
      return new ConnectError(message, Code.DataLoss);
    },
    note(item) {
      switch (item.type) {
        case "hello":
          head = item.head;
          inSnapshot = item.snapshot;
          [received, total] = [0, Number(item.userCount)];
          return inSnapshot ? snapshot() : tail();
        case "snapshot_page":
          received += item.users.length;
          return snapshot();
        case "snapshot_end":
          inSnapshot = false;
          position = item.tailPosition;
          head = larger(head, item.position);
          return tail();
        case "changes":
          position = item.position;
          return tail();
        case "checkpoint":
          // During a snapshot it names the place where the Changes will begin.
          position = item.position;
          head = larger(head, item.head);
          return inSnapshot ? undefined : tail();
        case "site_deleted":
          return undefined;
      }
    },
  };
}

/** Up to where everything was sent before the item, as it says; undefined: it does not. */
function reachedBefore(item: SubscriptionItem): bigint | undefined {
  if (item.type === "changes") return item.previousPosition;
  // Without a filter nothing but batches moves a stream on.
  return item.type === "checkpoint" ? item.position : undefined;
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
