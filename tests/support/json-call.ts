import { request } from "node:http";
import { text } from "node:stream/consumers";

/** What an HTTP client sees of an answer. */
export interface JsonAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  /** As it came, to the byte. */
  readonly body: string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** Calls an RPC as `curl` does: JSON over HTTP/1.1, without any library of Connect. */
export async function callJson(
  baseUrl: string,
  path: string,
  message: unknown,
  credential?: string,
): Promise<JsonAnswer> {
  const authorization = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
  const headers = { "content-type": "application/json", ...authorization };
  return await send(`${baseUrl}/${path}`, "POST", headers, JSON.stringify(message));
}

/** Calls an RPC without side effects by GET, as a browser or a cache does. */
export async function getJson(
  baseUrl: string,
  path: string,
  message: unknown,
): Promise<JsonAnswer> {
  const query = new URLSearchParams({ encoding: "json", message: JSON.stringify(message) });
  return await send(`${baseUrl}/${path}?${query}`, "GET", {}, "");
}

async function send(
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  message: string,
): Promise<JsonAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<JsonAnswer>();
  const call = request(url, { method, headers }, (answer) => {
    text(answer).then((body) => {
      const json = JSON.parse(body || "{}") as JsonAnswer["json"];
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body, json });
    }, reject);
  });
  call.once("error", reject);
  call.end(message);
  return await promise;
}
