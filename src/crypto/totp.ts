import { generateSecret, generateURI, verifySync } from "otplib";
import { type Secret, secret } from "../model/secret.ts";

const CODE = /^[0-9]{6}$/;
const PERIOD_SECONDS = 30;

/** Makes the secret of an authenticator: 160 random bits in base32 (RFC 4226 §4). */
export function newTotpSecret(): Secret {
  return secret(generateSecret());
}

/** Returns the secret as authenticator apps read it from a QR code. */
export function totpUri(
  totpSecret: Secret,
  names: { readonly issuer: string; readonly account: string },
): Secret {
  const { issuer, account: label } = names;
  return secret(generateURI({ issuer, label, secret: totpSecret.reveal() }));
}

/**
 * Returns the step of a code that is right now, one step before or one after (RFC 6238 §5.2);
 * undefined if it is wrong, or its step is not later than the last that was accepted.
 */
export function stepOfTotpCode(
  totpSecret: Secret,
  code: string,
  { now, lastStep }: { readonly now: Date; readonly lastStep: number },
): number | undefined {
  if (!CODE.test(code)) return undefined;
  const result = verifySync({
    secret: totpSecret.reveal(),
    token: code,
    epoch: Math.floor(now.getTime() / 1_000),
    epochTolerance: PERIOD_SECONDS,
  });
  if (!result.valid || !("timeStep" in result)) return undefined;
  return result.timeStep > lastStep ? result.timeStep : undefined;
}
