import { connect as connectHttp2 } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";

/** Calls of the edge service, honest and otherwise, and what tests look at in their ends. */

const ECHO = "/test.v1.EdgeService/Echo";

/** Makes an ordinary call on a new connection; returns how many milliseconds it took. */
export async function callHonestly(port: number): Promise<number> {
  const started = performance.now();
  const answer = await fetch(`http://127.0.0.1:${port}${ECHO}`, {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close" },
    body: '"aGVsbG8="',
  });
  if ((await answer.json()) !== "aGVsbG8=") throw new Error("the answer is not the question");
  return performance.now() - started;
}

/** Makes one HTTP/2 call of Echo with any body, and with or without an end. */
export async function callRaw(
  port: number,
  contentType: string,
  body: Uint8Array,
  more: { readonly ends?: boolean; readonly headers?: Readonly<Record<string, string>> } = {},
) {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": ECHO,
      "content-type": contentType,
      ...more.headers,
    });
    const headers: Record<string, unknown> = {};
    const trailers: Record<string, unknown> = {};
    stream.on("response", (fields) => Object.assign(headers, fields));
    stream.on("trailers", (fields) => Object.assign(trailers, fields));
    stream.write(body);
    if (more.ends !== false) stream.end();
    stream.resume();
    await new Promise((resolve) => stream.once("end", resolve));
    return { headers, trailers };
  } finally {
    session.destroy();
  }
}

/** Puts a message into the envelope that gRPC and Connect streams share. */
export function envelope(message: Uint8Array = new Uint8Array(0), flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Returns the error of a call that has to fail. */
export async function rejection(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConnectError)) throw new Error("the call did not fail");
  return error;
}

/** Returns the code of a call's error; undefined if it succeeds. */
export async function codeOf(call: Promise<unknown>): Promise<Code | undefined> {
  return call.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error, Code.Unknown).code,
  );
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
