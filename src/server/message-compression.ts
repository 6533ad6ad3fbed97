import { gunzipSync } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { compressionGzip } from "@connectrpc/connect-node";

/**
 * The compressions that the server accepts.
 *
 * No brotli: at the level that the stock codec takes it costs a second for each megabyte. Messages
 * are at most 64 KiB, so they are unpacked in place: in Node's thread pool they would queue up
 * behind password hashes.
 */
export const MESSAGE_COMPRESSIONS: Compression[] = [
  { name: "gzip", compress: compressionGzip.compress, decompress: gunzip },
];

async function gunzip(
  bytes: Uint8Array,
  messageBytesMax: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (bytes.length === 0) return new Uint8Array(0);
  try {
    return new Uint8Array(gunzipSync(bytes, { maxOutputLength: messageBytesMax }));
  } catch (error) {
    if (error instanceof RangeError) {
      const text = `message is larger than ${messageBytesMax} bytes after decompression`;
      throw new ConnectError(text, Code.ResourceExhausted);
    }
    throw new ConnectError("message is not valid gzip", Code.InvalidArgument);
  }
}
