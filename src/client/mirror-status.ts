import type { OwnMirrorStatus, UserMirrorStatus } from "./mirror-options.ts";
import type { SubscriptionStatus } from "./subscription-status.ts";
import { createStatusFeed } from "./subscription-status.ts";

/** What a Mirror is doing, put together from the stream and from what goes on beside it. */
export interface MirrorStatusFeed {
  readonly present: UserMirrorStatus | undefined;
  publish(status: SubscriptionStatus | { readonly type: "standby" }): void;
  /** Shows something in place of `live` and `lagging`, until it is undefined. */
  overlay(status: Exclude<OwnMirrorStatus, { type: "standby" }> | undefined): void;
  close(error: unknown): void;
  read(): AsyncGenerator<UserMirrorStatus, void, undefined>;
}

/** Makes a feed without a status; `onChange` is told when the type of the status changes. */
export function createMirrorStatus(onChange: () => void): MirrorStatusFeed {
  const feed = createStatusFeed<OwnMirrorStatus>();
  let base: UserMirrorStatus | undefined;
  let over: OwnMirrorStatus | undefined;
  let shown: UserMirrorStatus | undefined;

  function show(): void {
    const isOverlaid = over && (base?.type === "live" || base?.type === "lagging");
    const next = isOverlaid ? over : base;
    if (!next || next === shown) return;
    const changes = next.type !== shown?.type;
    shown = next;
    feed.publish(next);
    if (changes) onChange();
  }

  return {
    get present() {
      return shown;
    },
    publish(status) {
      base = status;
      show();
    },
    overlay(status) {
      over = status;
      show();
    },
    close: feed.close,
    read: feed.read,
  };
}
