import type { WatchRevocationsResponse } from "../../gen/signet/v1/sync_service_pb.ts";
import type { FrameReader } from "./frame-reader.ts";
import { readFrames } from "./frame-reader.ts";
import type { OwnTransport } from "./transport.ts";

/** Which Revocations to stream. */
export interface WatchRevocationsOptions {
  /** The Site; default: the client's. A site key knows its own. */
  readonly siteId?: string | undefined;
  /** The last cursor received, where what came before is still held; empty: everything. */
  readonly cursor: string;
  /** Names this subscriber among those with the same key, at most 64 characters. */
  readonly clientId?: string | undefined;
  /** Ends the stream when aborted. */
  readonly signal: AbortSignal;
}

/** Opens one stream of Revocations, which ends by itself when three heartbeats are missed. */
export function openRevocationStream(
  transport: OwnTransport,
  { siteId = "", cursor, clientId = "", signal }: WatchRevocationsOptions,
): FrameReader<WatchRevocationsResponse> {
  const request = { siteId, cursor, clientId };
  return readFrames<WatchRevocationsResponse>(
    transport,
    {
      open: (sync, ending) => sync.watchRevocations(request, { signal: ending }),
      heartbeatMsOf: ({ frame }) => (frame.case === "hello" ? frame.value.heartbeatMs : undefined),
    },
    signal,
  );
}
