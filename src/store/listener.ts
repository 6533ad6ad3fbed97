import { setTimeout as sleep } from "node:timers/promises";
import { escapeIdentifier } from "pg";
import type { Logger } from "pino";
import { LIMITS } from "../model/limits.ts";
import { createDirectClient, endClient } from "./direct-client.ts";

/** What a listener tells; an error thrown by either function is logged and goes no further. */
export interface ListenerHandlers {
  onNotify(payload: string): void;
  /**
   * Tells whether notifications arrive. Those sent while they did not are lost: after each
   * `listening`, read what there is.
   */
  onState?(state: ListenerState): void;
}

/** Whether notifications arrive. */
export type ListenerState = "listening" | "disconnected";

/** One followed channel. */
export interface Listener extends AsyncDisposable {
  /** Stops; no function is called after it. */
  close(): Promise<void>;
}

/** What {@link createListener} needs. */
export interface ListenerOptions {
  readonly url: string;
  readonly channel: string;
  readonly log: Logger;
  readonly handlers: ListenerHandlers;
  onClosed?(): void;
}

/**
 * Follows a channel on a connection of its own, probed every 5 s and opened again after a loss,
 * at first within 50 ms and then ever slower, up to 5 s.
 */
export function createListener(options: ListenerOptions): Listener {
  const stop = new AbortController();
  const stopped = follow(options, stop.signal);
  const close = async (): Promise<void> => {
    stop.abort();
    await stopped;
    options.onClosed?.();
  };
  return { close, [Symbol.asyncDispose]: close };
}

async function follow(options: ListenerOptions, signal: AbortSignal): Promise<void> {
  const { channel, log } = options;
  const handlers = guarded(options, signal);
  let failures = 0;
  while (!signal.aborted) {
    try {
      await listenUntilLost({ ...options, handlers }, signal, () => {
        failures = 0;
      });
    } catch (error) {
      if (!signal.aborted) log.warn({ channel, problem: String(error) }, "listener disconnected");
    }
    handlers.onState("disconnected");
    await pause(reconnectDelayMs(failures), signal);
    failures += 1;
  }
}

/** Resolves when `signal` aborts, rejects when the connection is lost. */
async function listenUntilLost(
  { url, channel, handlers }: ListenerOptions,
  signal: AbortSignal,
  onListening: () => void,
): Promise<void> {
  const client = createDirectClient({
    url,
    name: "signet listener",
    queryTimeoutMs: LIMITS.listenerProbeTimeoutMs,
  });
  const lost = new AbortController();
  client.on("error", (error) => lost.abort(error));
  client.on("end", () => lost.abort(new Error("the server ended the connection")));
  client.on("notification", ({ payload }) => handlers.onNotify(payload ?? ""));
  try {
    await client.connect();
    await client.query(`listen ${escapeIdentifier(channel)}`);
    onListening();
    handlers.onState?.("listening");
    const ended = AbortSignal.any([signal, lost.signal]);
    while (!ended.aborted) {
      await pause(LIMITS.listenerProbeMs, ended);
      if (!ended.aborted) await client.query("select 1");
    }
    if (!signal.aborted) throw lost.signal.reason;
  } finally {
    await endClient(client);
  }
}

/** The functions of the caller, made safe to call from an event of the connection. */
function guarded({ handlers, channel, log }: ListenerOptions, signal: AbortSignal) {
  let last: ListenerState = "disconnected";
  const call = (run: () => void): void => {
    if (signal.aborted) return;
    try {
      run();
    } catch (error) {
      log.error({ err: error, channel }, "listener's function failed");
    }
  };
  return {
    onNotify: (payload: string) => call(() => handlers.onNotify(payload)),
    onState(state: ListenerState) {
      if (state === last) return;
      last = state;
      call(() => handlers.onState?.(state));
    },
  };
}

function reconnectDelayMs(failures: number): number {
  const { reconnectDelayMsMin, reconnectDelayMsMax } = LIMITS;
  const delayMs = Math.min(reconnectDelayMsMin * 2 ** failures, reconnectDelayMsMax);
  return delayMs * (0.5 + Math.random() / 2);
}

/** Waits; an abort ends the wait early and is not an error. */
async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  await sleep(delayMs, undefined, { signal }).catch(() => undefined);
}
