import { type DescMessage, type Message, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { WatchUsersResponse } from "../../gen/signet/v1/sync_service_pb.ts";

/** A frame that any number of streams send; of WatchUsers, unless another message is named. */
export interface SharedFrame<M extends Message = WatchUsersResponse> {
  readonly message: M;
  /**
   * The message with the 5-byte envelope that gRPC and Connect share, uncompressed. Made at the
   * first call; every stream writes the same bytes, so nobody may change them.
   */
  framed(): Uint8Array;
}

/** Where a stream's frames go: the bytes of an HTTP/2 stream, or Connect's messages. */
export interface FrameSink<M extends Message = WatchUsersResponse> {
  /**
   * Takes a frame. False: it was taken, but wait for {@link drained} before the next. The last
   * frame, a Goodbye, may come all the same. Must not throw, whoever has left.
   */
  write(frame: SharedFrame<M>): boolean;
  /** Resolves once more may be written; may never resolve for a client that does not read. */
  drained(): Promise<void>;
}

const ENVELOPE_BYTES = 5;

/** Makes a frame of a message. */
export function sharedFrame<Schema extends DescMessage>(
  schema: Schema,
  message: MessageShape<Schema>,
): SharedFrame<MessageShape<Schema>> {
  let bytes: Uint8Array | undefined;
  return { message, framed: () => (bytes ??= envelope(toBinary(schema, message))) };
}

function envelope(payload: Uint8Array): Uint8Array {
  const framed = Buffer.allocUnsafeSlow(ENVELOPE_BYTES + payload.length);
  framed.writeUInt8(0);
  framed.writeUInt32BE(payload.length, 1);
  framed.set(payload, ENVELOPE_BYTES);
  return framed;
}
