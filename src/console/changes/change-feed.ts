import type { Client } from "@connectrpc/connect";
import type { Change } from "../../../gen/signet/v1/change_pb.ts";
import { ErrorReason } from "../../../gen/signet/v1/error_pb.ts";
import {
  type SyncService,
  WatchStart,
  type WatchUsersResponse,
} from "../../../gen/signet/v1/sync_service_pb.ts";
import { reasonOf } from "../parts/refusal.ts";

/** What the screen shows of a stream. */
export interface FeedState {
  readonly status: "connecting" | "live" | "paused" | "broken";
  /** The newest first; at most {@link CHANGES_MAX}. */
  readonly changes: readonly Change[];
  /** How many have arrived in all. */
  readonly received: number;
  /** Up to where everything was delivered. */
  readonly position: bigint;
  /** The Site's newest Change, as far as the stream has told. */
  readonly head: bigint;
  /** Why it cannot go on by itself. */
  readonly error: unknown;
}

/** A stream of Changes that can be paused and goes on where it was. */
export interface ChangeFeed {
  readonly state: () => FeedState;
  readonly subscribe: (listener: () => void) => () => void;
  /** Goes on after the last Cursor, or begins at the head. */
  readonly resume: () => void;
  readonly pause: () => void;
  /** Empties the list, and nothing else. */
  readonly clear: () => void;
}

/** How many Changes are kept for the screen. */
export const CHANGES_MAX = 200;

/** So often a screen is drawn anew, at most. */
const DRAW_MS = 200;
const RETRY_MS = 2_000;
const HEARTBEAT_SECONDS = 5;

/** After these the Changes up to now are not to be had; the head is where to begin again. */
const LOST: readonly ErrorReason[] = [
  ErrorReason.CURSOR_EXPIRED,
  ErrorReason.EPOCH_CHANGED,
  ErrorReason.CURSOR_AHEAD,
  ErrorReason.SCOPE_CHANGED,
  ErrorReason.INVALID_CURSOR,
];

const PASSING: readonly ErrorReason[] = [
  ErrorReason.UNSPECIFIED,
  ErrorReason.UNAVAILABLE,
  ErrorReason.SHUTTING_DOWN,
  ErrorReason.CATCH_UP_BUSY,
  ErrorReason.SLOW_CONSUMER,
];

/** Creates a feed of a Site; it is paused. */
export function createChangeFeed(
  sync: Pick<Client<typeof SyncService>, "watchUsers">,
  siteId: string,
): ChangeFeed {
  const listeners = new Set<() => void>();
  const clientId = `console-${crypto.randomUUID()}`;
  let state: FeedState = EMPTY;
  let cursor = "";
  let running: AbortController | undefined;
  let isDrawing = false;

  function become(change: Partial<FeedState>): void {
    state = { ...state, ...change };
    if (isDrawing) return;
    isDrawing = true;
    setTimeout(() => {
      isDrawing = false;
      for (const listener of listeners) listener();
    }, DRAW_MS);
  }

  function take({ frame }: WatchUsersResponse): void {
    if (frame.case === undefined) return;
    if (frame.value.cursor !== "") cursor = frame.value.cursor;
    if (frame.case === "hello") become({ status: "live", head: frame.value.head });
    if (frame.case === "checkpoint") {
      const { position, head } = frame.value;
      become({ position, head });
    }
    if (frame.case !== "changeBatch") return;
    const { changes, position } = frame.value;
    const head = position > state.head ? position : state.head;
    // Delivery is at least once: what the list has already is left out.
    const top = state.changes[0]?.position ?? 0n;
    const fresh = changes.filter((change) => change.position > top);
    const newest = [...fresh.toReversed(), ...state.changes].slice(0, CHANGES_MAX);
    become({ changes: newest, received: state.received + fresh.length, position, head });
  }

  /** Reads one stream to its end; returns how long to wait before the next. */
  async function follow(signal: AbortSignal): Promise<number> {
    const request = { siteId, cursor, clientId, heartbeatSeconds: HEARTBEAT_SECONDS };
    const start = WatchStart.HEAD;
    let delayMs = 0;
    // A stream has no time limit of its own: the server ends it with a Goodbye.
    for await (const response of sync.watchUsers({ ...request, start }, { signal, timeoutMs: 0 })) {
      take(response);
      if (response.frame.case === "goodbye") delayMs = Number(response.frame.value.retryDelayMs);
    }
    return delayMs;
  }

  async function run({ signal }: AbortController): Promise<void> {
    while (!signal.aborted) {
      const delayMs = await follow(signal).catch((error: unknown) => {
        if (signal.aborted || PASSING.includes(reasonOf(error))) return RETRY_MS;
        if (LOST.includes(reasonOf(error))) cursor = "";
        running = undefined;
        become({ status: "broken", error });
        return undefined;
      });
      if (delayMs === undefined || signal.aborted) return;
      become({ status: "connecting" });
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    }
  }

  return {
    state: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    resume() {
      if (running) return;
      running = new AbortController();
      become({ status: "connecting", error: undefined });
      void run(running);
    },
    pause() {
      running?.abort();
      running = undefined;
      become({ status: "paused" });
    },
    clear: () => become({ changes: [], received: 0 }),
  };
}

const EMPTY: FeedState = {
  status: "paused",
  changes: [],
  received: 0,
  position: 0n,
  head: 0n,
  error: undefined,
};
