import type { ChangeKind } from "../../gen/signet/v1/change_pb.ts";
import type { SubscriptionItem } from "./subscription-item.ts";
import type { SubscriptionStatus } from "./subscription-status.ts";

/** What to follow, and from where. */
export interface SubscribeOptions {
  /** The last cursor that was stored; undefined or empty: begin as `start` says. */
  readonly cursor?: string | undefined;
  /** Keeps the cursor, in place of `cursor`, where items are not applied in a transaction. */
  readonly store?: CursorStore | undefined;
  /** Where to begin without a cursor: with all Users, which is the default, or from now on. */
  readonly start?: "snapshot" | "head" | undefined;
  /** Which Changes to send; default: all. Such a subscription cannot feed a Mirror. */
  readonly filter?: SubscriptionFilter | undefined;
  /**
   * Names this subscriber among those with the same key, at most 64 characters: Signet allows 4
   * streams for each key and name. Default: the host's name.
   */
  readonly clientId?: string | undefined;
  /** The longest silence of the server, 1 to 15; default 15. */
  readonly heartbeatSeconds?: number | undefined;
  /** The Site; default: the client's. A site key knows its own. */
  readonly siteId?: string | undefined;
  /** Ends the subscription when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Conditions that must all hold; an empty list is none. */
export interface SubscriptionFilter {
  /** At most 32. A snapshot is not restricted by them. */
  readonly kinds?: readonly ChangeKind[];
  /** At most 500. */
  readonly userIds?: readonly string[];
}

/** Where a cursor outlives the process, such as a file or a row. */
export interface CursorStore {
  /** Answers undefined where nothing was saved yet. */
  load(): Promise<string | undefined>;
  save(cursor: string): Promise<void>;
}

/**
 * The Users of a Site and every Change to them, as a data iterator (the subscription itself)
 * and a status iterator.
 *
 * Nothing happens before the first item is asked for. From then on the subscription keeps a
 * connection, and opens another from the last cursor whenever it is lost: at once where the
 * server says so, else after a random time within a window that grows from 0.2 to 30 s. A server
 * that is silent for three heartbeats counts as lost.
 *
 * **Delivery** is at least once. An item counts as taken when the next one is asked for; only
 * then does `cursor` move and `store` save, and the item during which the loop was left comes
 * again to whoever resumes. Users and Changes may repeat, after a resume as well as between the
 * snapshot and its tail, and a User of the snapshot may be older than one received before:
 * keep each User's highest `version` and skip what is not above it. Positions rise but for such
 * repeats, and none is left out: a gap is noticed and resumed from before it. While catching up
 * a User's last state may stand for those before it.
 *
 * **Back-pressure**: the stream is read as far as items are asked for, so that a slow loop holds
 * the server back and nothing piles up here. After 30 s without progress the server ends the
 * stream, which is then resumed.
 *
 * **The end**: leaving the loop, `close`, the signal and closing the client end it without an
 * error, and free the connection at once. It throws where coming back would not help, with the
 * reason that `reasonOf` tells: CURSOR_EXPIRED, EPOCH_CHANGED, CURSOR_AHEAD or SCOPE_CHANGED
 * (start again or reconcile), INVALID_CURSOR, CREDENTIAL_INVALID, ACCESS_DENIED, INVALID_FIELD,
 * SITE_NOT_FOUND; and where the store throws.
 */
export interface Subscription extends AsyncIterable<SubscriptionItem>, AsyncDisposable {
  /** One reader: each item is delivered once, to whoever asks first. */
  [Symbol.asyncIterator](): AsyncGenerator<SubscriptionItem, void, undefined>;
  /**
   * What the subscription is doing, from the present status on, for any number of readers. One
   * that falls behind misses the oldest of more than 32. Ends after `closed`.
   */
  readonly status: AsyncIterable<SubscriptionStatus>;
  /** Resumes after the last item that was taken; undefined: none was, and none was given. */
  readonly cursor: string | undefined;
  /** Ends the subscription: the next item asked for is the end. */
  close(): void;
}
