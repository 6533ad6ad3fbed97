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
const GROUPS = 4;
const GROUP_LENGTH = 4;
const REJECT_FROM = 256 - (256 % ALPHABET.length);

/** Makes a code of 16 letters and digits, some 79 random bits, so that a plain hash will do. */
export function newRecoveryCode(siteId: SiteId, userId: UserId): RecoveryCode {
  const groups = Array.from({ length: GROUPS }, () =>
    Array.from({ length: GROUP_LENGTH }, randomLetter).join(""),
  );
  const text = groups.join("-");
  return { text: secret(text), hash: hashRecoveryCode(siteId, userId, text) };
}

/** Returns what is stored of a code, whatever its case and hyphens. */
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
