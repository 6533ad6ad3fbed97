import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import {
  SyncService,
  type WatchUsersRequestSchema,
  type WatchUsersResponse,
} from "../../gen/signet/v1/sync_service_pb.ts";
import { namingLostConnection } from "./errors.ts";
import type { OwnTransport } from "./transport.ts";

/** One stream of WatchUsers, on a connection of its own. */
export interface FrameReader extends Disposable {
  /** Never rejects: the end of the stream is a result, with the error if there was one. */
  next(): Promise<FrameResult>;
}

/** The next frame, or the end of the stream. */
export type FrameResult =
  | { readonly frame: WatchUsersResponse }
  | { readonly frame: undefined; readonly error: unknown };

/** A connection has to stand, and the server to have said hello, within this time. */
const HELLO_MS_MAX = 15_000;
const HEARTBEATS_MISSED_MAX = 3;
const HEARTBEAT_SECONDS_MAX = 60;
const HEARTBEAT_SECONDS_DEFAULT = 15;

/**
 * Opens a stream that ends when the signal is aborted, or when nothing arrives for three
 * heartbeats although somebody waits for it: no other sign tells a dead connection from a quiet
 * one. Whoever does not ask for the next frame holds the server back, without limit of time.
 */
export function readFrames(
  transport: OwnTransport,
  request: MessageInitShape<typeof WatchUsersRequestSchema>,
  signal: AbortSignal,
): FrameReader {
  const ending = new AbortController();
  const end = () => {
    signal.removeEventListener("abort", end);
    ending.abort();
    transport.close();
  };
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  const stream = createClient(SyncService, transport).watchUsers(request, {
    signal: ending.signal,
  });
  const frames = stream[Symbol.asyncIterator]();
  let silenceMsMax = HELLO_MS_MAX;

  async function next(): Promise<FrameResult> {
    const watchdog = setTimeout(() => ending.abort(silence(silenceMsMax)), silenceMsMax);
    try {
      const { value, done } = await frames.next();
      if (done) return { frame: undefined, error: undefined };
      if (value.frame.case === "hello") silenceMsMax = silenceMs(value.frame.value);
      return { frame: value };
    } catch (error) {
      return { frame: undefined, error: namingLostConnection(error, ending.signal.aborted) };
    } finally {
      clearTimeout(watchdog);
    }
  }
  return { next, [Symbol.dispose]: end };
}

function silenceMs({ heartbeatSeconds }: { readonly heartbeatSeconds: number }): number {
  const isSensible = heartbeatSeconds >= 1 && heartbeatSeconds <= HEARTBEAT_SECONDS_MAX;
  const seconds = isSensible ? heartbeatSeconds : HEARTBEAT_SECONDS_DEFAULT;
  return HEARTBEATS_MISSED_MAX * seconds * 1_000;
}

function silence(silenceMsMax: number): ConnectError {
  const message = `nothing was received for ${silenceMsMax / 1_000} s`;
  return new ConnectError(message, Code.Unavailable);
}
