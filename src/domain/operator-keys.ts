import { mintOperatorKey } from "../crypto/site-secret.ts";
import type { ApiKeyPage, OperatorKey } from "../model/api-key.ts";
import type { Caller, OperatorCaller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { type ApiKeyId, NO_SITE, newId } from "../model/id.ts";
import { appendNotice } from "../store/changes.ts";
import {
  findOperatorKey,
  insertOperatorKey,
  listOperatorKeys as listStoredKeys,
  revokeOperatorKey as revokeStoredKey,
} from "../store/operator-keys.ts";
import type { CreatedKey, NewApiKey } from "./api-keys.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { checkLifetime, requireEndToCome, requireKeyNow } from "./key-grants.ts";
import { REVOCATION_MS } from "./revocation-lifetime.ts";
import { write } from "./write.ts";

/**
 * Returns the caller, who is to deal with operator keys; the one of the environment is not among
 * them, and always works: so nobody can shut everybody out.
 *
 * @throws {Failure} `access_denied`
 */
export function requireOperator(caller: Caller): OperatorCaller {
  if (caller.kind !== "operator") throw new Failure("access_denied");
  return caller;
}

/**
 * Creates an operator key. The secret is in this answer and nowhere else; a repeat with the same
 * id answers with the key alone.
 *
 * @throws {Failure} `id_taken`; `access_denied` where the key would outlive the caller's own;
 *   `credential_invalid`; `invalid_field` for an end that has been.
 */
export async function createOperatorKey(
  deps: Deps,
  caller: OperatorCaller,
  { id, label, expireTime }: Pick<NewApiKey, "id" | "label" | "expireTime">,
): Promise<CreatedKey<OperatorKey>> {
  checkLifetime(caller, expireTime);
  const now = deps.clock.now();
  const minted = mintOperatorKey();
  const key: OperatorKey = {
    id: id ?? newId<ApiKeyId>(now),
    label,
    createTime: now,
    expireTime,
    lastUseTime: undefined,
    revokeTime: undefined,
  };
  return await write(deps, NO_SITE, async (tx) => {
    await requireKeyNow(tx, caller);
    if (await insertOperatorKey(tx, key, minted.hash)) {
      requireEndToCome(key, now);
      await recordAct(tx, NO_SITE, caller, { kind: "api_key.created", subjectId: key.id }, now);
      return { key, secret: minted.text };
    }
    const known = await findOperatorKey(tx, key.id);
    if (!known || known.label !== key.label) throw new Failure("id_taken");
    return { key: known, secret: undefined };
  });
}

/** Lists a page of the operator keys, the newest first. */
export async function listOperatorKeys(deps: Deps, page: ApiKeyPage): Promise<OperatorKey[]> {
  return await deps.db.inSite(NO_SITE, (tx) => listStoredKeys(tx, page), { readOnly: true });
}

/**
 * Revokes an operator key, within a second on every process. To revoke twice is no error.
 *
 * @throws {Failure} `api_key_not_found`, `credential_invalid`.
 */
export async function revokeOperatorKey(
  deps: Deps,
  caller: OperatorCaller,
  id: ApiKeyId,
): Promise<OperatorKey> {
  return await write(deps, NO_SITE, async (tx) => {
    const now = deps.clock.now();
    const revoked = await revokeStoredKey(tx, id, now);
    if (revoked) {
      const expireTime = new Date(now.getTime() + REVOCATION_MS);
      // Processes that start later read the key itself, so that nothing but the notice is needed.
      const notice = { kind: "api_key_revoked", subjectId: id, expireTime } as const;
      await appendNotice(tx, NO_SITE, notice, now);
      await recordAct(tx, NO_SITE, caller, { kind: "api_key.revoked", subjectId: id }, now);
    }
    const key = revoked ?? (await findOperatorKey(tx, id));
    if (!key) throw new Failure("api_key_not_found");
    return key;
  });
}
