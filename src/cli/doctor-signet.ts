import { Code, ConnectError } from "@connectrpc/connect";
import { HealthVerdict } from "../../gen/signet/v1/change_pb.ts";
import { ErrorReason, reasonOf, type SignetClient } from "../client/index.ts";
import type { Context } from "./context.ts";
import { describeError } from "./error-line.ts";
import { type Finding, fail, ok, skip, warn } from "./finding.ts";
import { hasKeyForm } from "./key-form.ts";
import { VERDICTS } from "./sync-status-layout.ts";

/** The id of no User and no Site. */
const NOBODY = "00000000-0000-7000-8000-000000000000";

/** Checks the key, and what it may do. A site key's Site is told, too. */
export async function checkKey(
  client: SignetClient,
  context: Context,
  siteId?: string,
): Promise<Finding[]> {
  const { SIGNET_KEY: key = "" } = context.environment;
  if (!hasKeyForm(key.trim())) {
    const advice = "a key begins with sgn_op_ or sgn_site_: was it copied as a whole?";
    return [fail("signet.key", "what is set has not the form of a key", advice)];
  }
  const isOperator = key.trim().startsWith("sgn_op_");
  try {
    return isOperator ? await checkOperatorKey(client, siteId) : await checkSiteKey(client);
  } catch (error) {
    const text = describeError(error, context.environment);
    if (reasonOf(error) !== ErrorReason.CREDENTIAL_INVALID) {
      const advice = "calls go over HTTP/2: every proxy between has to pass it on, h2c included";
      return [fail("signet.key", `it could not be tried: ${text}`, advice)];
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
