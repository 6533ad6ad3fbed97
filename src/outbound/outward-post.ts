import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { traceHeaders } from "../model/tracing.ts";
import { type OutwardOptions, routeTo } from "./outward-get.ts";
import { tracedRequest } from "./traced-request.ts";

/** What came back; the body in full. */
export interface OutwardAnswer {
  readonly status: number;
  /** Without parameters; empty: none was told. */
  readonly contentType: string;
  readonly text: string;
}

/** The answer is longer than it may be. */
export class AnswerTooLargeError extends Error {}

/**
 * Posts a text to elsewhere and returns the answer, whatever its status. The rules are those of
 * `fetchText`: one look-up of the name, no private address but one's own, no redirects.
 *
 * @throws {AddressRefusedError}
 * @throws {AnswerTooLargeError}
 * @throws {Error} of the connection, or since it has taken too long.
 */
export async function postText(
  url: URL,
  body: string,
  options: OutwardOptions & { readonly signal: AbortSignal },
): Promise<OutwardAnswer> {
  const { headers, signal, bytesMax, internalHosts } = options;
  const route = routeTo(url, internalHosts);
  return await tracedRequest("POST", url, async () => {
    const sent = { ...headers, ...traceHeaders() };
    const answer = await open(url, { method: "POST", headers: sent, signal, ...route }, body);
    const text = await readText(answer, bytesMax);
    const [contentType = ""] = (answer.headers["content-type"] ?? "").split(";");
    return { status: answer.statusCode ?? 0, contentType: contentType.trim(), text };
  });
}

function open(
  url: URL,
  options: Parameters<typeof httpsRequest>[1],
  body: string,
): Promise<IncomingMessage> {
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    send(url, options, resolve).on("error", reject).end(body);
  });
}

async function readText(answer: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw new AnswerTooLargeError(`more than ${bytesMax} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  } finally {
    answer.destroy();
  }
}
