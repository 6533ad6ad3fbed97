import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { SyncService } from "../../gen/signet/v1/sync_service_pb.ts";
import { namingLostConnection } from "./errors.ts";
import type { OwnTransport } from "./transport.ts";

/** One stream of SyncService, on a connection of its own. */
export interface FrameReader<Frame> extends Disposable {
  /** Never rejects: the end of the stream is a result, with the error if there was one. */
  next(): Promise<FrameResult<Frame>>;
}

/** The next frame, or the end of the stream. */
export type FrameResult<Frame> =
  | { readonly frame: Frame }
  | { readonly frame: undefined; readonly error: unknown };

/** Which stream to open, and how it announces its heartbeats. */
export interface StreamKind<Frame> {
  open(sync: Client<typeof SyncService>, signal: AbortSignal): AsyncIterable<Frame>;
  /** Returns the time between two heartbeats where the frame tells it; undefined elsewhere. */
  heartbeatMsOf(frame: Frame): number | undefined;
}

/** A connection has to stand, and the server to have said hello, within this time. */
const HELLO_MS_MAX = 15_000;
const HEARTBEATS_MISSED_MAX = 3;
const HEARTBEAT_MS_MAX = 60_000;
const HEARTBEAT_MS_DEFAULT = 15_000;

/** Returns how long three heartbeats take; a time that makes no sense is replaced. */
export function missedHeartbeatsMs(heartbeatMs: number): number {
  const isSensible = heartbeatMs >= 100 && heartbeatMs <= HEARTBEAT_MS_MAX;
  return HEARTBEATS_MISSED_MAX * (isSensible ? heartbeatMs : HEARTBEAT_MS_DEFAULT);
}

/**
 * Opens a stream that ends when the signal is aborted, or when nothing arrives for three
 * heartbeats although somebody waits for it: no other sign tells a dead connection from a quiet
 * one. Whoever does not ask for the next frame holds the server back, without limit of time.
 */
export function readFrames<Frame>(
  transport: OwnTransport,
  { open, heartbeatMsOf }: StreamKind<Frame>,
  signal: AbortSignal,
): FrameReader<Frame> {
  const ending = new AbortController();
  const end = () => {
    signal.removeEventListener("abort", end);
    ending.abort();
    transport.close();
  };
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  const frames = open(createClient(SyncService, transport), ending.signal)[Symbol.asyncIterator]();
  let silenceMsMax = HELLO_MS_MAX;

  async function next(): Promise<FrameResult<Frame>> {
    const watchdog = setTimeout(() => ending.abort(silence(silenceMsMax)), silenceMsMax);
    try {
      const { value, done } = await frames.next();
      if (done) return { frame: undefined, error: undefined };
      const heartbeatMs = heartbeatMsOf(value);
      if (heartbeatMs !== undefined) silenceMsMax = missedHeartbeatsMs(heartbeatMs);
      return { frame: value };
    } catch (error) {
      return { frame: undefined, error: namingLostConnection(error, ending.signal.aborted) };
    } finally {
      clearTimeout(watchdog);
    }
  }
  return { next, [Symbol.dispose]: end };
}

function silence(silenceMsMax: number): ConnectError {
  const message = `nothing was received for ${silenceMsMax / 1_000} s`;
  return new ConnectError(message, Code.Unavailable);
}
