import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { LIMITS } from "../model/limits.ts";
import { traceHeaders } from "../model/tracing.ts";
import type { WebhookProblem } from "../model/webhook.ts";
import { createKeptConnections } from "./kept-connections.ts";
import { AddressRefusedError, hostOf, routeTo } from "./outward-get.ts";
import { tracedRequest } from "./traced-request.ts";

/** Posts events to the receivers of webhooks. */
export interface WebhookPost {
  /** Tells whether a URL may be called, as far as it shows without a look-up of its host. */
  mayCall(url: URL): boolean;
  /** Tells whether the host is one's own, which whoever runs Signet has named. */
  isInternal(url: URL): boolean;
  /** Posts a body; never throws, since a receiver that fails is no error of Signet. */
  send(request: WebhookRequest): Promise<WebhookAnswer>;
}

/** What is posted. */
export interface WebhookRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What came of it. */
export interface WebhookAnswer {
  /** 0: there was none. */
  readonly status: number;
  /** Absent: the receiver has accepted the event. */
  readonly problem: WebhookProblem | undefined;
  /** How long the receiver asks to wait. */
  readonly pauseMs: number | undefined;
}

/** Creates the way out to receivers. Hosts of one's own may be private, and without TLS. */
export function createWebhookPost(options: {
  readonly internalHosts: readonly string[];
  /** For all of one attempt; by default 15 s. */
  readonly timeoutMs?: number;
}): WebhookPost {
  const { internalHosts, timeoutMs = LIMITS.webhookTimeoutMs } = options;
  const kept = createKeptConnections();
  const routeOf = (url: URL): Route => {
    return { ...routeTo(url, internalHosts), agent: kept.agentFor(url) };
  };
  return {
    mayCall(url) {
      try {
        routeTo(url, internalHosts);
        return !isOwnMachine(url) || internalHosts.includes(hostOf(url));
      } catch (error) {
        if (error instanceof AddressRefusedError) return false;
        throw error;
      }
    },
    isInternal: (url) => internalHosts.includes(hostOf(url)),
    async send(request) {
      const signal = AbortSignal.timeout(timeoutMs);
      let status = 0;
      try {
        const posted = () => open(request, routeOf, signal);
        const answer = await tracedRequest("POST", new URL(request.url), posted);
        status = answer.statusCode ?? 0;
        const problem = await judge(answer, status);
        return { status, problem, pauseMs: pauseMsOf(answer.headers["retry-after"]) };
      } catch (error) {
        const problem = signal.aborted ? "timed_out" : problemOf(error);
        return { status, problem, pauseMs: undefined };
      }
    },
  };
}

/** Names of this machine by definition (RFC 6761 §6.3), whatever a resolver says. */
function isOwnMachine({ hostname }: URL): boolean {
  return /^(?:.+\.)?localhost\.?$/i.test(hostname);
}

type Route = Pick<RequestOptions, "agent" | "lookup">;

/**
 * A kept connection may end just when it is used again. That says nothing about the receiver, so
 * the event is posted once more by a connection of its own; if it came twice, its id says so.
 */
async function open(
  { url: text, headers, body }: WebhookRequest,
  routeOf: (url: URL) => Route,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const url = new URL(text);
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  const route = routeOf(url);
  const post = (agent: Route["agent"]) => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage | undefined>();
    const sentHeaders = { ...headers, ...traceHeaders() };
    const options = { method: "POST", headers: sentHeaders, signal, ...route, agent };
    const sent = send(url, options, resolve);
    sent.on("error", (error) => {
      const isStale = sent.reusedSocket && "code" in error && error.code === "ECONNRESET";
      if (isStale) resolve(undefined);
      else reject(error);
    });
    sent.end(body);
    return promise;
  };
  const answer = (await post(route.agent)) ?? (await post(false));
  if (!answer) throw new Error("a new connection was taken for a kept one");
  return answer;
}

/** A redirect is refused like any other status: where it leads was checked by nobody. */
async function judge(answer: IncomingMessage, status: number): Promise<WebhookProblem | undefined> {
  try {
    if (status < 200 || status > 299) return "status_refused";
    let bytes = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > LIMITS.webhookAnswerBytesMax) return "answer_invalid";
    }
    return undefined;
  } finally {
    answer.destroy();
  }
}

const NO_NAME = new Set(["ENOTFOUND", "ENODATA", "EAI_AGAIN", "ESERVFAIL", "EAI_NODATA"]);
const TLS = /CERT|SSL|TLS|UNABLE_TO_|^EPROTO$|^HOSTNAME_MISMATCH$/;

/** Names what was wrong with a connection; also of use to whoever else calls out. */
export function problemOf(error: unknown): WebhookProblem {
  if (error instanceof AddressRefusedError) return "address_refused";
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (NO_NAME.has(code)) return "name_not_found";
  if (code.startsWith("HPE_")) return "answer_invalid";
  return TLS.test(code) ? "tls_failed" : "connection_failed";
}

/** Seconds or a date (RFC 9110 §10.2.3), bounded: a receiver must not hold things up for ever. */
function pauseMsOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return ms > 0 ? Math.min(ms, LIMITS.webhookPauseMsMax) : undefined;
}
