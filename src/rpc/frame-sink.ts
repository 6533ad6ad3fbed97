import { toBinary } from "@bufbuild/protobuf";
import {
  type WatchUsersResponse,
  WatchUsersResponseSchema,
} from "../../gen/signet/v1/sync_service_pb.ts";

/** A frame of WatchUsers that any number of streams send. */
export interface SharedFrame {
  readonly message: WatchUsersResponse;
  /**
   * The message with the 5-byte envelope that gRPC and Connect share, uncompressed. Made at the
   * first call; every stream writes the same bytes, so nobody may change them.
   */
  framed(): Uint8Array;
}

/** Where a stream's frames go: the bytes of an HTTP/2 stream, or Connect's messages. */
export interface FrameSink {
  /**
   * Takes a frame. False: it was taken, but wait for {@link drained} before the next. The last
   * frame, a Goodbye, may come all the same. Must not throw, whoever has left.
   */
  write(frame: SharedFrame): boolean;
  /** Resolves once more may be written; may never resolve for a client that does not read. */
  drained(): Promise<void>;
}

const ENVELOPE_BYTES = 5;

/** Makes a frame of a message. */
export function sharedFrame(message: WatchUsersResponse): SharedFrame {
  let bytes: Uint8Array | undefined;
  return { message, framed: () => (bytes ??= envelope(message)) };
}

function envelope(message: WatchUsersResponse): Uint8Array {
  const payload = toBinary(WatchUsersResponseSchema, message);
  const framed = Buffer.allocUnsafeSlow(ENVELOPE_BYTES + payload.length);
  framed.writeUInt8(0);
  framed.writeUInt32BE(payload.length, 1);
  framed.set(payload, ENVELOPE_BYTES);
  return framed;
}
