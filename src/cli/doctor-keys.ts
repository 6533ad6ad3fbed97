import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { ApiKey } from "../../gen/signet/v1/site_pb.ts";
import { ErrorReason, reasonOf, type SignetClient } from "../client/index.ts";
import type { Context } from "./context.ts";
import { describeError } from "./error-line.ts";
import { type Finding, ok, skip, warn } from "./finding.ts";
import { listAllKeys } from "./key-commands.ts";
import { timeText } from "./values.ts";

const CHECK = "signet.keys";
const DAY_MS = 86_400_000;
/** Time enough to make another and to move over. */
const EXPIRY_DAYS_WARN = 14;

/**
 * Looks for keys that are about to expire: those of a Site, or, for an operator who names none,
 * the operator keys.
 */
export async function checkKeys(
  client: SignetClient,
  { environment }: Context,
  site?: string,
): Promise<Finding[]> {
  const isOperator = environment.SIGNET_KEY?.startsWith("sgn_op_") && site === undefined;
  const which = isOperator ? { operator: true as const } : site === undefined ? {} : { site };
  try {
    const { apiKeys } = await listAllKeys(client, which);
    const expiring = apiKeys.filter((key) => expiresSoon(key, Date.now()));
    if (expiring.length > 0) return expiring.map(toWarning);
    return [ok(CHECK, `${apiKeys.length} keys are listed, and none expires soon`)];
  } catch (error) {
    if (reasonOf(error) === ErrorReason.ACCESS_DENIED) {
      return [skip(CHECK, "to look at the expiry of keys wants the scope site.admin")];
    }
    return [skip(CHECK, `not told: ${describeError(error, environment)}`)];
  }
}

function expiresSoon({ expireTime }: ApiKey, nowMs: number): boolean {
  return expireTime !== undefined && timestampMs(expireTime) < nowMs + EXPIRY_DAYS_WARN * DAY_MS;
}

function toWarning({ id, label, siteId, expireTime }: ApiKey): Finding {
  const text = `the key ${label} (${id}) expires at ${timeText(expireTime)}`;
  const where = siteId ? `--site ${siteId}` : "--operator";
  const advice = `make the next by \`signet key create ${where}\`, move over, and revoke this one`;
  return warn(CHECK, text, advice);
}
