import type { Envelope, SealScope } from "../crypto/envelope.ts";
import { exportPrivateKey, generateSigningKey, toPublicJwk } from "../crypto/signing-key.ts";
import { newId, type SigningKeyId, type SiteId } from "../model/id.ts";
import type { SigningAlgorithm } from "../model/site.ts";
import type { StoredSigningKey } from "../store/signing-keys.ts";

/** Makes the key pair of a Site, its private half sealed, ready to be stored. */
export async function makeSigningKey(
  envelope: Envelope,
  siteId: SiteId,
  algorithm: SigningAlgorithm,
  state: "current" | "next",
  now: Date,
): Promise<StoredSigningKey> {
  const id = newId<SigningKeyId>(now);
  const key = await generateSigningKey(id, algorithm);
  return {
    id,
    algorithm,
    publicJwk: toPublicJwk(key),
    privateSealed: envelope.seal(signingKeyScope(siteId, id), exportPrivateKey(key)),
    state,
    createTime: now,
    activateTime: state === "current" ? now : undefined,
    switchTime: undefined,
    retireTime: undefined,
  };
}

/** Returns what a sealed private key is bound to: its row, and no other. */
export function signingKeyScope(siteId: SiteId, id: SigningKeyId): SealScope {
  return { purpose: "signing_key", siteId, context: [siteId, id] };
}
