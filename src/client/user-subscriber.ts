import { hostname } from "node:os";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Goodbye, GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import { ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import {
  WatchStart,
  type WatchUsersRequestSchema,
  type WatchUsersResponse,
} from "../../gen/signet/v1/sync_service_pb.ts";
import { jitteredDelayMs, pause } from "./backoff.ts";
import { reasonOf, retryDelayMsOf } from "./errors.ts";
import { readFrames, type StreamKind } from "./frame-reader.ts";
import type { SubscribeOptions, Subscription } from "./subscription.ts";
import { type SubscriptionItem, toItem } from "./subscription-item.ts";
import { createProgress, type Progress } from "./subscription-progress.ts";
import { createStatusFeed, type StatusFeed } from "./subscription-status.ts";
import type { OwnTransport } from "./transport.ts";

/**
 * Follows the Users of a Site over as many connections as it takes, until `clientSignal` or the
 * signal of the options is aborted; see {@link Subscription}.
 */
export function subscribeToUsers(
  openTransport: () => OwnTransport,
  clientSignal: AbortSignal,
  options: SubscribeOptions,
): Subscription {
  const parents = options.signal ? [clientSignal, options.signal] : [clientSignal];
  const ending = new AbortController();
  const status = createStatusFeed();
  const close = (error?: unknown) => {
    for (const parent of parents) parent.removeEventListener("abort", end);
    status.close(error);
    ending.abort();
  };
  const end = () => close();
  const subscriber: Subscriber = {
    options,
    openTransport,
    status,
    progress: createProgress(options.filter !== undefined),
    signal: ending.signal,
    cursor: options.cursor || undefined,
    failures: 0,
  };
  for (const parent of parents) parent.addEventListener("abort", end);
  if (parents.some(({ aborted }) => aborted)) end();
  const items = follow(subscriber, close);
  return {
    [Symbol.asyncIterator]: () => items,
    status: { [Symbol.asyncIterator]: status.read },
    get cursor() {
      return subscriber.cursor;
    },
    close: end,
    [Symbol.asyncDispose]: async () => end(),
  };
}

interface Subscriber {
  readonly options: SubscribeOptions;
  readonly openTransport: () => OwnTransport;
  readonly status: StatusFeed;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Resumes after the last item that was taken. */
  cursor: string | undefined;
  /** Streams in a row that ended before anything but a hello came. */
  failures: number;
}

/** How a stream ended: for good, or to be resumed. */
type StreamEnd =
  | { readonly type: "site_deleted" }
  | { readonly type: "lost"; readonly retryDelayMs: number; readonly error: unknown };

const BACKOFF = { firstMs: 200, longestMs: 30_000 };
/** A server cannot send a subscriber away for longer. */
const SERVER_DELAY_MS_MAX = 5 * 60_000;

/** Coming back with the same key, cursor and options would end in the same way. */
const FATAL: ReadonlySet<ErrorReason | undefined> = new Set([
  ErrorReason.CURSOR_EXPIRED,
  ErrorReason.EPOCH_CHANGED,
  ErrorReason.CURSOR_AHEAD,
  ErrorReason.SCOPE_CHANGED,
  ErrorReason.INVALID_CURSOR,
  ErrorReason.CREDENTIAL_INVALID,
  ErrorReason.ACCESS_DENIED,
  ErrorReason.INVALID_FIELD,
  ErrorReason.SITE_NOT_FOUND,
]);

async function* follow(
  subscriber: Subscriber,
  close: (error?: unknown) => void,
): AsyncGenerator<SubscriptionItem, void, undefined> {
  const { options, signal, status } = subscriber;
  try {
    subscriber.cursor ??= await options.store?.load();
    while (!signal.aborted) {
      status.publish({ type: "connecting" });
      const end = yield* followStream(subscriber);
      if (end.type === "site_deleted" || signal.aborted) return;
      if (FATAL.has(reasonOf(end.error))) throw end.error;
      const attempt = ++subscriber.failures;
      const delayMs = end.retryDelayMs + jitteredDelayMs(BACKOFF, attempt);
      status.publish({ type: "reconnecting", attempt, delayMs, error: end.error });
      await pause(delayMs, signal);
    }
  } catch (error) {
    close(error);
    throw error;
  } finally {
    close();
  }
}

async function* followStream(
  subscriber: Subscriber,
): AsyncGenerator<SubscriptionItem, StreamEnd, undefined> {
  const { openTransport, progress, signal, status } = subscriber;
  using frames = readFrames(openTransport(), userStream(subscriber), signal);
  for (;;) {
    const result = await frames.next();
    if (!result.frame) return lost(result.error);
    const { frame } = result.frame;
    if (frame.case === "goodbye") return yield* endStream(subscriber, frame.value);
    const item = toItem(result.frame);
    if (!item) continue;
    const gap = progress.gapBefore(item);
    if (gap) return lost(gap);
    const next = progress.note(item);
    if (next) status.publish(next);
    if (item.type !== "hello") subscriber.failures = 0;
    yield item;
    await take(subscriber, item.cursor);
  }
}

/** By asking for the next item the reader says that this one is done with. */
async function take(subscriber: Subscriber, cursor: string | undefined): Promise<void> {
  if (!cursor || cursor === subscriber.cursor) return;
  subscriber.cursor = cursor;
  await subscriber.options.store?.save(cursor);
}

async function* endStream(
  subscriber: Subscriber,
  { reason, cursor, retryDelayMs }: Goodbye,
): AsyncGenerator<SubscriptionItem, StreamEnd, undefined> {
  if (reason === GoodbyeReason.SITE_DELETED) {
    yield { type: "site_deleted", cursor: undefined };
    return { type: "site_deleted" };
  }
  // The status that follows says the same; with a bad key so does the next attempt.
  await take(subscriber, cursor);
  return { type: "lost", retryDelayMs: serverDelayMs(Number(retryDelayMs)), error: undefined };
}

function lost(error: unknown): StreamEnd {
  return { type: "lost", retryDelayMs: serverDelayMs(retryDelayMsOf(error)), error };
}

function serverDelayMs(delayMs: number): number {
  return Math.min(Math.max(delayMs, 0), SERVER_DELAY_MS_MAX);
}

function userStream(subscriber: Subscriber): StreamKind<WatchUsersResponse> {
  return {
    open: (sync, signal) => sync.watchUsers(watchRequest(subscriber), { signal }),
    heartbeatMsOf: ({ frame }) =>
      frame.case === "hello" ? frame.value.heartbeatSeconds * 1_000 : undefined,
  };
}

function watchRequest({
  options,
  cursor,
}: Subscriber): MessageInitShape<typeof WatchUsersRequestSchema> {
  const { siteId, start, filter, clientId, heartbeatSeconds } = options;
  return {
    siteId: siteId ?? "",
    cursor: cursor ?? "",
    start: start === "head" ? WatchStart.HEAD : WatchStart.SNAPSHOT,
    clientId: clientId ?? hostname().slice(0, 64),
    heartbeatSeconds: heartbeatSeconds ?? 0,
    ...(filter && {
      filter: { kinds: [...(filter.kinds ?? [])], userIds: [...(filter.userIds ?? [])] },
    }),
  };
}
