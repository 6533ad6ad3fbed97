import { Agent, request as requestHttp1 } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";

/** One input, as a client library can send it. */
export interface HostileRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly http2: boolean;
  /** Whether its answer may have no end: that of a stream. */
  readonly mayStayOpen: boolean;
  /** Whether the server may break off: it does where the header block is too large. */
  readonly mayBeCut: boolean;
}

/** What came back. */
export interface HostileAnswer {
  /** `open`: a stream that goes on; `cut`: it broke; `silent`: nothing came in half a minute. */
  readonly end: "whole" | "open" | "cut" | "silent";
  /** 0: none. */
  readonly status: number;
  /** With the trailers. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Sends inputs over connections that are used again. */
export interface HostileSender extends Disposable {
  send(request: HostileRequest): Promise<HostileAnswer>;
}

const SILENCE_MS_MAX = 30_000;
/** A stream that has begun is taken for open after this time without an end. */
const OPEN_MS = 50;
/** A server may end a session with too many cancelled streams, and other inputs with it. */
const STREAMS_PER_SESSION = 300;

/** Creates a sender. */
export function createHostileSender(port: number): HostileSender {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const sessions = createSessions(port);
  const sendOnce = (request: HostileRequest, sockets: Agent | false): Promise<HostileAnswer> =>
    request.http2 ? sendHttp2(sessions.next(), port, request) : sendHttp1(sockets, port, request);
  return {
    async send(request) {
      const answer = await sendOnce(request, agent);
      if (answer.end !== "cut" || request.mayBeCut) return answer;
      // Another input may have taken the connection with it, or it was closed as idle.
      sessions.retire();
      return await sendOnce(request, false);
    },
    [Symbol.dispose]() {
      agent.destroy();
      sessions.close();
    },
  };
}

function createSessions(port: number) {
  let session: ClientHttp2Session | undefined;
  let streams = 0;
  const all = new Set<ClientHttp2Session>();
  return {
    next(): ClientHttp2Session {
      if (session && streams < STREAMS_PER_SESSION && !session.closed && !session.destroyed) {
        streams += 1;
        return session;
      }
      session?.close();
      const opened = connect(`http://127.0.0.1:${port}`, { maxSessionMemory: 100 });
      opened.on("error", () => undefined);
      opened.on("goaway", () => opened.close());
      opened.on("close", () => all.delete(opened));
      all.add(opened);
      session = opened;
      streams = 1;
      return opened;
    },
    retire(): void {
      session = undefined;
    },
    close(): void {
      for (const one of all) one.destroy();
    },
  };
}

function sendHttp2(
  session: ClientHttp2Session,
  port: number,
  { method, path, headers, body, mayStayOpen }: HostileRequest,
): Promise<HostileAnswer> {
  const collected = collect();
  const pseudo = { ":method": method, ":path": path, ":authority": `127.0.0.1:${port}` };
  let stream: ClientHttp2Stream;
  try {
    stream = session.request({ ...headers, ...pseudo }, { endStream: body.length === 0 });
  } catch {
    return Promise.resolve(collected.answer("cut")); // The session went in this moment.
  }
  const { promise, resolve } = Promise.withResolvers<HostileAnswer>();
  const settle = (end: HostileAnswer["end"]): void => {
    clearTimeout(silence);
    resolve(collected.answer(end));
    if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
  };
  const silence = setTimeout(settle, SILENCE_MS_MAX, "silent");
  stream.on("response", (fields) => {
    collected.head(Number(fields[":status"]), fields);
    if (mayStayOpen) setTimeout(settle, OPEN_MS, "open");
  });
  stream.on("trailers", (fields) => collected.trailers(fields));
  stream.on("data", (chunk: Buffer) => collected.data(chunk));
  stream.on("error", () => undefined);
  stream.on("close", () => settle(stream.rstCode === 0 && collected.hasBegun() ? "whole" : "cut"));
  if (body.length > 0) stream.end(body);
  return promise;
}

function sendHttp1(
  agent: Agent | false,
  port: number,
  { method, path, headers, body, mayStayOpen }: HostileRequest,
): Promise<HostileAnswer> {
  const collected = collect();
  const { promise, resolve } = Promise.withResolvers<HostileAnswer>();
  const { te: _, ...fields } = headers;
  const host = "127.0.0.1";
  const length = { "content-length": `${body.length}` };
  const call = requestHttp1({ agent, host, port, method, path, headers: { ...fields, ...length } });
  const settle = (end: HostileAnswer["end"]): void => {
    clearTimeout(silence);
    resolve(collected.answer(end));
    if (end !== "whole") call.destroy();
  };
  const silence = setTimeout(settle, SILENCE_MS_MAX, "silent");
  call.on("response", (answer) => {
    collected.head(answer.statusCode ?? 0, answer.headers);
    if (mayStayOpen) setTimeout(settle, OPEN_MS, "open");
    answer.on("data", (chunk: Buffer) => collected.data(chunk));
    answer.on("error", () => undefined);
    answer.on("end", () => {
      collected.trailers(answer.trailers);
      settle("whole");
    });
    answer.on("close", () => settle("cut"));
  });
  call.on("error", () => settle("cut"));
  call.end(body);
  return promise;
}

function collect() {
  let status = 0;
  const headers: Record<string, string> = {};
  const chunks: Buffer[] = [];
  const add = (fields: object): void => {
    for (const [name, value] of Object.entries(fields)) headers[name] = `${value}`;
  };
  return {
    head(given: number, fields: object): void {
      status = given;
      add(fields);
    },
    trailers: add,
    data: (chunk: Buffer) => void chunks.push(chunk),
    hasBegun: () => status !== 0,
    answer: (end: HostileAnswer["end"]): HostileAnswer => ({
      end,
      status,
      headers,
      body: Buffer.concat(chunks),
    }),
  };
}
