import { connectionProblem } from "../client/errors.ts";
import { isExposed, urlOf } from "./connection.ts";
import { type Context, UsageError } from "./context.ts";
import { type Finding, fail, ok, skip, warn } from "./finding.ts";

const ANSWER_MS_MAX = 5_000;
/** Verifiers bear 30 s; a difference that grows gets there. */
const SKEW_SECONDS_WARN = 5;
const SKEW_SECONDS_MAX = 30;

/** What `/readyz` has answered. */
interface Readiness {
  /** By the clock of the server, in whole seconds; NaN: it does not tell. */
  readonly serverMs: number;
  /** Undefined: it is no answer of a Signet. */
  readonly missing: readonly string[] | undefined;
}

/** Checks that a Signet answers where the environment says, that it is ready, and its clock. */
export async function checkAddress(context: Context): Promise<Finding[]> {
  const advice = "start it, or set SIGNET_URL to where it is";
  try {
    const url = urlOf(context);
    const sentMs = Date.now();
    const { serverMs, missing } = await askReadiness(url);
    const nowMs = (sentMs + Date.now()) / 2;
    if (!missing) return [fail("signet.address", `what answers at ${url} is no Signet`, advice)];
    const reachable = addressFinding(url);
    // Whole seconds are half of one late, on the average.
    const clock = clockFinding("signet.clock", "its clock", serverMs + 500, nowMs);
    return [reachable, clock, readyFinding(missing)];
  } catch (error) {
    const text = error instanceof UsageError ? error.message : describeFetchError(error);
    return [fail("signet.address", text, advice)];
  }
}

function addressFinding(url: string): Finding {
  if (!isExposed(url)) return ok("signet.address", `a Signet answers at ${url}`);
  const text = `a Signet answers at ${url}, in clear text: a key can be read on the way`;
  return warn("signet.address", text, "use https://, or a network that nobody else is on");
}

async function askReadiness(url: string): Promise<Readiness> {
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  const answer = await fetch(`${url.replace(/\/+$/, "")}/readyz`, { signal });
  const serverMs = Date.parse(answer.headers.get("date") ?? "");
  return { serverMs, missing: readMissing(await answer.text()) };
}

function readMissing(text: string): readonly string[] | undefined {
  try {
    const { status, missing } = JSON.parse(text);
    if (status === "ready") return [];
    return status === "not_ready" && Array.isArray(missing) ? missing.map(String) : undefined;
  } catch {
    return undefined; // Not JSON: a page of a proxy, for example.
  }
}

/** Compares the clock of somebody else with the one of this machine. */
export function clockFinding(
  check: string,
  whose: string,
  theirsMs: number,
  nowMs: number,
): Finding {
  if (Number.isNaN(theirsMs)) return skip(check, `${whose} cannot be read`);
  const seconds = Math.round((theirsMs - nowMs) / 1_000);
  const side = seconds > 0 ? "ahead of" : "behind";
  const text = `${whose} is ${Math.abs(seconds)} s ${side} this one`;
  const advice = "let both machines take their time from the network (NTP)";
  if (Math.abs(seconds) > SKEW_SECONDS_MAX) return fail(check, text, advice);
  if (Math.abs(seconds) > SKEW_SECONDS_WARN) return warn(check, text, advice);
  return ok(check, `${whose} and this one agree`);
}

function readyFinding(missing: readonly string[]): Finding {
  if (missing.length === 0) return ok("signet.ready", "it is ready to serve");
  const text = `it is not ready to serve, for want of: ${missing.join(", ")}`;
  return fail("signet.ready", text, "look at its log, which says why");
}

function describeFetchError(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const problem = cause instanceof Error ? connectionProblem(cause) || cause.name : cause;
  return `no Signet answers: ${problem}`;
}
