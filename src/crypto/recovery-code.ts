import { createHash, randomBytes } from "node:crypto";
import type { SiteId, UserId } from "../model/id.ts";
import { type Secret, secret } from "../model/secret.ts";

/** A recovery code, and what is stored of it. */
export interface RecoveryCode {
  readonly text: Secret;
  readonly hash: Buffer;
}

/** Without letters and digits that look alike. */
const ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789";
const GROUPS = 7;
const GROUP_LENGTH = 4;
const REJECT_FROM = 256 - (256 % ALPHABET.length);

/**
 * Makes a code of 28 letters and digits, some 138 random bits: a plain hash will do from 112 on
 * (OWASP ASVS 5.0, 6.5.2).
 */
export function newRecoveryCode(siteId: SiteId, userId: UserId): RecoveryCode {
  const groups = Array.from({ length: GROUPS }, () =>
    Array.from({ length: GROUP_LENGTH }, randomLetter).join(""),
  );
  const text = groups.join("-");
  return { text: secret(text), hash: hashRecoveryCode(siteId, userId, text) };
}

/**
 * Returns what is stored of a code, whatever its case and hyphens.
 *
 * Of any length, since codes of earlier versions have 16 letters and digits.
 */
export function hashRecoveryCode(siteId: SiteId, userId: UserId, text: string): Buffer {
  const letters = text.toLowerCase().replaceAll(/[\s-]/g, "");
  return createHash("sha256").update(`${siteId}/${userId}/${letters}`).digest();
}

/** Draws again what would make some letters likelier than others. */
function randomLetter(): string {
  for (;;) {
    const [byte = REJECT_FROM] = randomBytes(1);
    if (byte < REJECT_FROM) return ALPHABET.charAt(byte % ALPHABET.length);
  }
}
