import type { DescMethod } from "@bufbuild/protobuf";
import { cors } from "@connectrpc/connect";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { Failure } from "../model/failure.ts";
import type { BrowserPage } from "../rpc/browser-page.ts";
import { type EndpointAnswer, refusal } from "./http-endpoints.ts";
import type { NodeRequest } from "./request-target.ts";

/** What browsers on pages of other origins may do. */
export interface BrowserRules {
  /** Tells whether the RPC is one that pages may call at all. */
  admits(method: DescMethod): boolean;
  /**
   * Tells whether some Site has public calls and names this origin. A preflight names no Site; the
   * call that follows does, and the rule of access checks that one.
   *
   * @throws {Failure} `rate_limited`, `unavailable`
   */
  knowsOrigin(origin: string, clientAddress: string): Promise<boolean>;
}

/** Pages call nothing. */
export const NO_BROWSERS: BrowserRules = { admits: () => false, knowsOrigin: async () => false };

const ALLOWED_HEADERS = [...cors.allowedHeaders, "authorization", "x-request-id"].join(", ");
const EXPOSED_HEADERS = [...cors.exposedHeaders, "x-request-id"].join(", ");
const PREFLIGHT_SECONDS = 7_200; // No browser keeps it longer.

/** Tells whether a request only asks whether another one may be made (Fetch standard §3.2.2). */
export function isPreflight({ method, headers }: NodeRequest): boolean {
  const asked = headers["access-control-request-method"];
  return method === "OPTIONS" && headers.origin !== undefined && asked !== undefined;
}

/** Answers a preflight. No cookie and no other credential of the browser's own is ever used. */
export async function answerPreflight(
  rules: BrowserRules,
  method: DescMethod | undefined,
  { headers }: NodeRequest,
  clientAddress: string,
): Promise<EndpointAnswer> {
  const vary = { vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers" };
  const origin = headers.origin ?? "";
  try {
    const known =
      method && rules.admits(method) && (await rules.knowsOrigin(origin, clientAddress));
    if (!known) return refusal(403, "origin_not_allowed", vary);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const seconds = Math.ceil((error.retryDelayMs ?? 1_000) / 1_000);
    const status = error.reason === "rate_limited" ? 429 : 503;
    return refusal(status, error.reason, { ...vary, "retry-after": String(seconds) });
  }
  return {
    status: 204,
    headers: {
      ...vary,
      "access-control-allow-origin": origin,
      "access-control-allow-methods": cors.allowedMethods.join(", "),
      "access-control-allow-headers": ALLOWED_HEADERS,
      "access-control-max-age": String(PREFLIGHT_SECONDS),
    },
    body: "",
  };
}

/** Lets the page read the answer of its call, where it may. */
export async function openToPage(
  rules: BrowserRules,
  method: DescMethod,
  page: BrowserPage | undefined,
  clientAddress: string,
  answer: UniversalServerResponse,
): Promise<UniversalServerResponse> {
  if (!rules.admits(method)) return answer;
  const header = new Headers(answer.header);
  header.append("vary", "Origin"); // An answer without it might be kept for another page.
  if (page && (page.mayRead ?? (await mayReadRefusal(rules, page.origin, clientAddress)))) {
    header.set("access-control-allow-origin", page.origin);
    header.set("access-control-expose-headers", EXPOSED_HEADERS);
  }
  return { ...answer, header };
}

/** A call that was refused before its Site was known: its page should learn why. */
async function mayReadRefusal(
  rules: BrowserRules,
  origin: string,
  clientAddress: string,
): Promise<boolean> {
  try {
    return await rules.knowsOrigin(origin, clientAddress);
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}
