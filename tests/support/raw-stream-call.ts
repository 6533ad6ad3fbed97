import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";

/** What a client saw of a call, down to the bytes. */
export interface RawOutcome {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly trailers: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly rstCode: number;
}

/** What is to be sent. */
export interface RawRequest {
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** The body in the pieces in which it is sent. */
  readonly body: readonly Uint8Array[];
  /** `late`: the body ends only after the answer; `never`: not at all. By default at once. */
  readonly end?: "late" | "never";
  /** The client leaves without waiting for the answer. */
  readonly reset?: boolean;
}

const PATH = "/signet.v1.SyncService/WatchUsers";
/** Until then the handler has long begun, on any machine on which the tests can run at all. */
const RESET_AFTER_MS = 300;
const WAIT_MS_MAX = 20_000;

/** Makes one call on a connection of its own, and waits for its end. */
export async function callRawStream(port: number, request: RawRequest): Promise<RawOutcome> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  try {
    return await outcomeOf(openRawStream(session, request), request);
  } finally {
    session.destroy();
  }
}

/** Opens one call on a connection that there is already. */
export function openRawStream(session: ClientHttp2Session, request: RawRequest): ClientHttp2Stream {
  const hasBody = request.body.length > 0 || request.end !== undefined;
  const stream = session.request(
    { ":method": "POST", ":path": PATH, te: "trailers", ...request.headers },
    { endStream: !hasBody },
  );
  stream.on("error", () => undefined);
  for (const piece of request.body) stream.write(piece);
  if (hasBody && request.end === undefined) stream.end();
  if (request.reset) setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), RESET_AFTER_MS);
  return stream;
}

async function outcomeOf(stream: ClientHttp2Stream, { end }: RawRequest): Promise<RawOutcome> {
  const headers: IncomingHttpHeaders = {};
  const trailers: IncomingHttpHeaders = {};
  const chunks: Buffer[] = [];
  stream.on("response", (fields) => Object.assign(headers, fields));
  stream.on("trailers", (fields) => Object.assign(trailers, fields));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("end", () => {
    if (end === "late") stream.end();
  });
  await once(stream, "close", { signal: AbortSignal.timeout(WAIT_MS_MAX) });
  return {
    headers: stable(headers),
    trailers: stable(trailers),
    body: Buffer.concat(chunks).toString("latin1"),
    rstCode: stream.rstCode ?? constants.NGHTTP2_NO_ERROR,
  };
}

/** What differs between two calls, whoever answers them. */
function stable({ date, ...fields }: IncomingHttpHeaders): Record<string, unknown> {
  return { ...fields, ...(date && { date: "a date" }) };
}
