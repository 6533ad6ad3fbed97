import type { EventEmitter } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";

/** What the response objects of both protocols have in common. */
export interface NodeResponse extends EventEmitter {
  /** Present over HTTP/2. */
  readonly stream?: ServerHttp2Stream;
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  readonly socket: { readonly destroyed: boolean } | null;
  writeHead(status: number, headers: Record<string, string>): unknown;
  write(chunk: Uint8Array): boolean;
  addTrailers(trailers: Record<string, string>): void;
  end(): unknown;
  end(chunk: Uint8Array): unknown;
  destroy(): unknown;
}

/**
 * Writes the answer of a call, no faster than the client reads it.
 *
 * Headers go out with the first message, since the handler may still set some until then.
 *
 * @throws {Error} if the client leaves, or reads nothing for `stallMsMax`.
 */
export async function writeAnswer(
  answer: UniversalServerResponse,
  response: NodeResponse,
  stallMsMax: number,
): Promise<void> {
  const chunks = answer.body?.[Symbol.asyncIterator]();
  // Node's HTTP/2 response says `finish` only once the client, too, has ended its side.
  const emitter: EventEmitter = response.stream ?? response;
  try {
    let chunk = await chunks?.next();
    if (isGone(response)) throw gone();
    response.writeHead(answer.status, plain(answer.header));
    for (; chunk !== undefined && chunk.done !== true; chunk = await chunks?.next()) {
      if (isGone(response)) throw gone();
      if (!response.write(chunk.value)) await happens(emitter, "drain", stallMsMax);
    }
    if (answer.trailer !== undefined) response.addTrailers(plain(answer.trailer));
    if (isGone(response)) throw gone();
    const finished = happens(emitter, "finish", stallMsMax);
    response.end();
    await finished;
  } finally {
    chunks?.return?.().catch(() => undefined);
  }
}

/** Tells whether nobody is left to read the response. */
export function isGone(response: NodeResponse): boolean {
  if (response.stream !== undefined) return response.stream.destroyed;
  return response.destroyed || response.socket === null || response.socket.destroyed;
}

/**
 * Waits until more may be written, or until all is.
 *
 * @throws {Error} if the answer is closed first, or the client reads nothing for `msMax`.
 */
export function happens(
  emitter: EventEmitter,
  event: "drain" | "finish",
  msMax: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(new Error("the client does not read")), msMax);
    const succeed = (): void => settle();
    const fail = (): void => settle(gone());
    function settle(error?: Error): void {
      clearTimeout(timer);
      emitter.off(event, succeed);
      emitter.off("close", fail);
      if (error === undefined) resolve();
      else reject(error);
    }
    emitter.once(event, succeed);
    emitter.once("close", fail);
  });
}

function gone(): Error {
  return new Error("the client has left");
}

function plain(headers: UniversalServerResponse["header"]): Record<string, string> {
  return Object.fromEntries(new Headers(headers));
}
