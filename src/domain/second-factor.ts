import { hashRecoveryCode, newRecoveryCode } from "../crypto/recovery-code.ts";
import { stepOfTotpCode } from "../crypto/totp.ts";
import type { Client } from "../model/caller.ts";
import type { SiteId, UserId } from "../model/id.ts";
import { type Secret, secret } from "../model/secret.ts";
import {
  acceptTotpStep,
  consumeRecoveryCode,
  findTotpFactor,
  replaceRecoveryCodes,
  type TotpFactor,
} from "../store/second-factors.ts";
import type { Queryable } from "../store/sql.ts";
import type { Deps } from "./deps.ts";

/** What a User shows besides the password. */
export type FactorCode =
  | { readonly by: "totp"; readonly code: string }
  | { readonly by: "recovery_code"; readonly code: string };

/** What completes a login. */
export interface MfaAnswer {
  readonly challengeToken: string;
  readonly code: FactorCode;
  readonly client: Client;
}

/** Says how a User has proved who they are (RFC 8176): a recovery code is no `otp`. */
export function amrOf(code: FactorCode | undefined): readonly string[] {
  if (!code) return ["pwd"];
  return code.by === "totp" ? ["pwd", "otp", "mfa"] : ["pwd", "mfa"];
}

/** How many recovery codes a User has at first. */
const RECOVERY_CODES = 10;

/**
 * Accepts a code of a User's confirmed second factor, each once. The User is locked by the
 * caller, who has counted the guess before.
 */
export async function acceptCode(
  deps: Deps,
  tx: Queryable,
  siteId: SiteId,
  userId: UserId,
  { by, code }: FactorCode,
  now: Date,
): Promise<boolean> {
  const factor = await findTotpFactor(tx, siteId, userId);
  if (!factor?.confirmed) return false;
  if (by === "totp") return await acceptTotpCode(deps, tx, siteId, userId, factor, code, now);
  const hash = hashRecoveryCode(siteId, userId, code);
  return await consumeRecoveryCode(tx, siteId, userId, hash, now);
}

/** Accepts a code of an authenticator, confirmed or not. */
export async function acceptTotpCode(
  deps: Deps,
  tx: Queryable,
  siteId: SiteId,
  userId: UserId,
  { secretSealed, lastStep }: TotpFactor,
  code: string,
  now: Date,
): Promise<boolean> {
  const totpSecret = openTotpSecret(deps, siteId, userId, secretSealed);
  const step = stepOfTotpCode(totpSecret, code, { now, lastStep });
  return step !== undefined && (await acceptTotpStep(tx, siteId, userId, step));
}

/** Seals the secret of an authenticator for its row. */
export function sealTotpSecret(
  deps: Deps,
  siteId: SiteId,
  userId: UserId,
  totpSecret: Secret,
): Buffer {
  return deps.envelope.seal(totpScope(siteId, userId), Buffer.from(totpSecret.reveal()));
}

function openTotpSecret(deps: Deps, siteId: SiteId, userId: UserId, sealed: Buffer): Secret {
  return secret(deps.envelope.open(totpScope(siteId, userId), sealed).toString());
}

function totpScope(siteId: SiteId, userId: UserId) {
  return { purpose: "totp_secret", siteId, context: [userId] };
}

/** Makes new recovery codes in place of all earlier ones; their text is shown once. */
export async function renewRecoveryCodes(
  tx: Queryable,
  siteId: SiteId,
  userId: UserId,
): Promise<Secret[]> {
  const codes = Array.from({ length: RECOVERY_CODES }, () => newRecoveryCode(siteId, userId));
  await replaceRecoveryCodes(
    tx,
    siteId,
    userId,
    codes.map(({ hash }) => hash),
  );
  return codes.map(({ text }) => text);
}
