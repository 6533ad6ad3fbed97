import type { Socket } from "node:net";

/** The protocol of a clear-text connection. */
export type WireProtocol = "http/1.1" | "http/2";

/** RFC 9113 §3.4: what a client with prior knowledge of HTTP/2 sends first. */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/**
 * Reads the first bytes of a socket until they show its protocol, puts them back and tells it.
 *
 * Destroys the socket, and never tells, if that takes longer than `msMax` or the client leaves.
 */
export function sniffProtocol(
  socket: Socket,
  msMax: number,
  tell: (protocol: WireProtocol) => void,
): void {
  let seen: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  const timer = setTimeout(giveUp, msMax);

  function stop(): void {
    clearTimeout(timer);
    socket.off("readable", read);
    socket.off("end", giveUp);
    socket.off("close", stop);
  }

  function giveUp(): void {
    stop();
    socket.destroy();
  }

  function read(): void {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const protocol = protocolOf(seen);
    if (protocol === undefined) return;
    stop();
    socket.unshift(seen);
    tell(protocol);
  }

  socket.on("readable", read);
  socket.on("end", giveUp);
  socket.on("close", stop);
}

/** Returns the protocol that starts with these bytes; undefined if more are needed. */
export function protocolOf(bytes: Uint8Array): WireProtocol | undefined {
  const length = Math.min(bytes.length, PREFACE.length);
  if (PREFACE.compare(bytes, 0, length, 0, length) !== 0) return "http/1.1";
  return length === PREFACE.length ? "http/2" : undefined;
}
