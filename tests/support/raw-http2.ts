import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** The client's half of HTTP/2, by hand, for what no client library would send. */

/** Frame types and flags of RFC 9113 §6. */
export const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7 } as const;
/** The flag of the last frame that a half of a stream has. */
export const END_STREAM = 0x1;
/** The flag of a header block that no further frame goes on with. */
export const END_HEADERS = 0x4;

/** Encodes one frame. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = new Uint8Array(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Encodes a header block in which every field is a literal that is not indexed. */
export function headerBlock(fields: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(fields).flatMap(([name, value]) => [
    Buffer.from([0]),
    stringLiteral(name),
    stringLiteral(value),
  ]);
  return Buffer.concat(parts);
}

/** The header block of a gRPC call. */
export function grpcHeaders(path: string, more: Readonly<Record<string, string>> = {}): Buffer {
  return headerBlock({
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "localhost",
    "content-type": "application/grpc",
    te: "trailers",
    ...more,
  });
}

/** Opens a connection and sends the preface and empty settings. */
export async function connectHttp2(port: number): Promise<Socket> {
  const socket = await connectRaw(port);
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  socket.write(frame(FRAME.settings, 0, 0));
  return socket;
}

/** Opens a connection whose errors concern nobody. */
export async function connectRaw(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** Collects what arrives until the other side closes, or for at most `ms`. */
export async function received(socket: Socket, ms = 1_000): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  await closed(socket, ms);
  return Buffer.concat(chunks);
}

/** Waits until the other side closes; returns false if it has not after `ms`. */
export async function closed(socket: Socket, ms: number): Promise<boolean> {
  if (socket.destroyed) return true;
  socket.resume();
  const timeout = AbortSignal.timeout(ms);
  return once(socket, "close", { signal: timeout }).then(
    () => true,
    () => socket.destroyed,
  );
}

/** Lists the types of the frames in what a server sent. */
export function frameTypes(bytes: Buffer): Set<number> {
  const types = new Set<number>();
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    types.add(bytes.readUInt8(at + 3));
  }
  return types;
}

function stringLiteral(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  // RFC 7541 §5.1: an integer that does not fit into seven bits.
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) | 128);
  length.push(rest);
  return Buffer.concat([Buffer.from(length), bytes]);
}
