import { request } from "node:http";
import { text } from "node:stream/consumers";

/** Names and values, in the order and the spelling in which they are sent. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** What a client sees of an answer. */
export interface HeaderAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** What is sent besides the headers. */
export interface HeaderCall {
  readonly method?: string;
  /** Sent in chunks; without it there is none. */
  readonly body?: string;
  /** Sent behind the body. */
  readonly trailers?: HeaderList;
}

const TIMEOUT_MS = 20_000;

/** Makes a request with exactly these headers, besides `host`, on a connection of its own. */
export async function callWithHeaders(
  url: string,
  headers: HeaderList,
  { method = "GET", body, trailers = [] }: HeaderCall = {},
): Promise<HeaderAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HeaderAnswer>();
  const hasHost = headers.some(([name]) => name.toLowerCase() === "host");
  const all: HeaderList = [...(hasHost ? [] : [["Host", new URL(url).host] as const]), ...headers];
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const options = { method, headers: all.flat(), agent: false, signal };
  const call = request(url, options, (answer) => {
    text(answer).then((answerBody) => {
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: answerBody });
    }, reject);
  });
  call.once("error", reject);
  if (trailers.length > 0) call.addTrailers(trailers.map((pair) => [pair[0], pair[1]] as const));
  call.end(body);
  return await promise;
}
