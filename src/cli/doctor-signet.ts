import { Code, ConnectError } from "@connectrpc/connect";
import { HealthVerdict } from "../../gen/signet/v1/change_pb.ts";
import { ErrorReason, reasonOf, type SignetClient } from "../client/index.ts";
import { urlOf } from "./connection.ts";
import { type Context, UsageError } from "./context.ts";
import { describeError } from "./error-line.ts";
import { type Finding, fail, ok, skip, warn } from "./finding.ts";
import { VERDICTS } from "./sync-status-layout.ts";

const ANSWER_MS_MAX = 5_000;
/** The id of no User and no Site. */
const NOBODY = "00000000-0000-7000-8000-000000000000";
/** Verifiers bear 30 s; a difference that grows gets there. */
const SKEW_SECONDS_WARN = 5;
const SKEW_SECONDS_MAX = 30;

/** Checks that a Signet answers where the environment says, that it is ready, and its clock. */
export async function checkAddress(context: Context): Promise<Finding[]> {
  try {
    const url = urlOf(context);
    const sentMs = Date.now();
    const answer = await get(`${url}/readyz`);
    const reachable = ok("signet.address", `a Signet answers at ${url}`);
    return [reachable, clockFinding(answer, (sentMs + Date.now()) / 2), readyFinding(answer)];
  } catch (error) {
    const text = error instanceof UsageError ? error.message : describeFetchError(error);
    return [fail("signet.address", text, "start it, or set SIGNET_URL to where it is")];
  }
}

/** Checks the key, and what it may do. A site key's Site is told, too. */
export async function checkKey(
  client: SignetClient,
  context: Context,
  siteId?: string,
): Promise<Finding[]> {
  const isOperator = context.environment.SIGNET_KEY?.startsWith("sgn_op_");
  try {
    return isOperator ? await checkOperatorKey(client, siteId) : await checkSiteKey(client);
  } catch (error) {
    const text = describeError(error, context.environment);
    if (reasonOf(error) !== ErrorReason.CREDENTIAL_INVALID) {
      return [fail("signet.key", text, "see the address above: the key could not be tried")];
    }
    const advice = "make another by `signet key create`, and set SIGNET_KEY to its secret";
    return [fail("signet.key", "the key is not known, was revoked, or has expired", advice)];
  }
}

/** Asks whether everything that follows the Site is in step. */
export async function checkHealth(
  { sync }: SignetClient,
  { environment }: Context,
  siteId = "",
): Promise<Finding> {
  try {
    const { health } = await sync.getSyncHealth({ siteId });
    if (!health || health.verdict === HealthVerdict.HEALTHY) {
      return ok("signet.health", "whatever follows the Site is in step");
    }
    const text = `the sync is ${VERDICTS.wordOf(health.verdict)}`;
    const advice = "see `signet sync status`";
    const isBad = health.verdict === HealthVerdict.UNHEALTHY;
    return isBad ? fail("signet.health", text, advice) : warn("signet.health", text, advice);
  } catch (error) {
    if (reasonOf(error) === ErrorReason.INVALID_FIELD && siteId === "") {
      return skip("signet.health", "name a Site by --site to have its sync checked");
    }
    return skip("signet.health", `not told: ${describeError(error, environment)}`);
  }
}

async function get(url: string): Promise<Response> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  await answer.arrayBuffer();
  return answer;
}

/** The header has whole seconds: half of one is added, and as much is not told. */
function clockFinding({ headers }: Response, nowMs: number): Finding {
  const serverMs = Date.parse(headers.get("date") ?? "") + 500;
  if (Number.isNaN(serverMs)) return skip("signet.clock", "it does not tell the time");
  const seconds = Math.round((serverMs - nowMs) / 1_000);
  const aside = `its clock is ${Math.abs(seconds)} s ${seconds > 0 ? "ahead of" : "behind"} this one`;
  const advice = "let both machines take their time from the network (NTP)";
  if (Math.abs(seconds) > SKEW_SECONDS_MAX) return fail("signet.clock", aside, advice);
  if (Math.abs(seconds) > SKEW_SECONDS_WARN) return warn("signet.clock", aside, advice);
  return ok("signet.clock", "its clock and this one agree");
}

function readyFinding({ ok: isReady, status }: Response): Finding {
  if (isReady) return ok("signet.ready", "it is ready to serve");
  const advice = "look at its log: the database may be away, or migrations may be missing";
  return fail("signet.ready", `it is not ready to serve (status ${status})`, advice);
}

function describeFetchError(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return `no Signet answers: ${cause instanceof Error ? cause.message || cause.name : cause}`;
}

async function checkOperatorKey({ sites }: SignetClient, siteId = ""): Promise<Finding[]> {
  try {
    await sites.getSite({ siteId: siteId || NOBODY });
  } catch (error) {
    if (reasonOf(error) !== ErrorReason.SITE_NOT_FOUND) throw error;
    if (siteId !== "") return [fail("signet.key", `there is no Site ${siteId}`, "correct --site")];
  }
  const advice = "give an app a site key of its own: `signet key create --site <id> --scope …`";
  return [warn("signet.key", "it is an operator key, which may do everything on any Site", advice)];
}

async function checkSiteKey(client: SignetClient): Promise<Finding[]> {
  const { site } = await client.sites.getSite({});
  const findings = [ok("signet.key", `it is a site key of ${site?.name} (${site?.id})`)];
  const scopes = await Promise.all(
    PROBES.map(async ([scope, probe]) => ((await isAllowed(probe(client))) ? scope : "")),
  );
  const known = scopes.filter(Boolean).join(", ");
  const text = known ? `it may at least: ${known}` : "it may do next to nothing";
  if (scopes.includes("sync")) return [...findings, ok("signet.scopes", text)];
  const advice = "for mirrors and `signet sync` make a key with `--scope sync`";
  return [...findings, warn("signet.scopes", text, advice)];
}

/** Calls that change nothing, and are refused otherwise than by ACCESS_DENIED with the scope. */
const PROBES: readonly (readonly [string, (client: SignetClient) => Promise<unknown>])[] = [
  ["auth", ({ auth }) => auth.refreshToken({ refreshToken: "none" })],
  ["users.read", ({ users }) => users.getUser({ userId: NOBODY })],
  ["users.write", ({ users }) => users.updateUser({ userId: NOBODY })],
  ["sync", ({ sync }) => sync.compareDigests({ leaves: [0], pageSize: 1 })],
  ["site.admin", ({ sites }) => sites.listApiKeys({ pageSize: 1 })],
];

async function isAllowed(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (!(error instanceof ConnectError) || error.code === Code.Unavailable) throw error;
    return error.code !== Code.PermissionDenied && error.code !== Code.Unimplemented;
  }
}
