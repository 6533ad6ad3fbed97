/** Bytes before each message: a flag for compression and the length, as gRPC has them. */
export const FRAME_HEADER_BYTES = 5;

/** Puts a message into the envelope of gRPC, uncompressed. */
export function frame(message: Uint8Array): Buffer {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + message.length);
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, FRAME_HEADER_BYTES);
  return bytes;
}
