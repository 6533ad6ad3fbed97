import { hkdfSync } from "node:crypto";
import type { Secret } from "../model/secret.ts";
import { decrypt, encrypt } from "./aead.ts";
import { associatedData, type ContextPart } from "./associated-data.ts";

/** What a box is bound to besides its secret: its purpose and the row that it stands in. */
export interface BoxScope {
  readonly purpose: string;
  readonly context: readonly ContextPart[];
}

/**
 * Encrypts bytes so that only the holder of a secret can open them; Signet itself cannot.
 *
 * The secret must have 256 random bits, as a refresh token has: its successor, kept in such a
 * box, can be handed out again to whoever shows the token, and to no one else.
 */
export function boxWithSecret(holder: Secret, scope: BoxScope, plaintext: Uint8Array): Buffer {
  return encrypt(keyOf(holder, scope), associatedData(scope.context), plaintext);
}

/** Returns what is in the box; undefined for another secret, another scope or altered bytes. */
export function openWithSecret(
  holder: Secret,
  scope: BoxScope,
  box: Uint8Array,
): Buffer | undefined {
  return decrypt(keyOf(holder, scope), associatedData(scope.context), box);
}

function keyOf(holder: Secret, { purpose }: BoxScope): Buffer {
  const info = JSON.stringify(["signet/v1", "secret-box", purpose]);
  return Buffer.from(hkdfSync("sha256", holder.reveal(), Buffer.alloc(0), info, 32));
}
