import type { SiteId } from "../model/id.ts";
import type { Envelope, SealScope } from "./envelope.ts";

/** What Firebase calls the password hash parameters of a project. */
export interface FirebaseParameters {
  readonly signerKey: Uint8Array;
  readonly saltSeparator: Uint8Array;
  readonly rounds: number;
  /** The cost is two to the power of this. */
  readonly memCost: number;
}

/** Writes the hash of one User down for its row; the signer key stands in it sealed. */
export type WriteFirebaseHash = (salt: Uint8Array, hash: Uint8Array) => string;

const SEALED = "$firebase-scrypt-sealed$";
const CLEAR = "$firebase-scrypt$";

/**
 * Prepares to keep hashes of one Firebase project. Whoever has the signer key can guess at all
 * passwords of the project, so it is sealed: once, since it is the same in every row.
 */
export function createFirebaseWriter(
  envelope: Envelope,
  siteId: SiteId,
  { signerKey, saltSeparator, rounds, memCost }: FirebaseParameters,
): WriteFirebaseHash {
  const sealed = toBase64(envelope.seal(signerKeyScope(siteId), signerKey));
  const begin = `${SEALED}n=${memCost},r=${rounds}$${sealed}$${toBase64(saltSeparator)}`;
  return (salt, hash) => `${begin}$${toBase64(salt)}$${toBase64(hash)}`;
}

/**
 * Opens the signer key in what {@link createFirebaseWriter} has written, so that the hash can be
 * checked; every other hash is returned as it is.
 */
export function openFirebaseHash(envelope: Envelope, siteId: SiteId, stored: string): string {
  if (!stored.startsWith(SEALED)) return stored;
  const [costs = "", sealed = "", ...rest] = stored.slice(SEALED.length).split("$");
  const signerKey = envelope.open(signerKeyScope(siteId), Buffer.from(sealed, "base64"));
  return `${CLEAR}${[costs, toBase64(signerKey), ...rest].join("$")}`;
}

/** Reads salt and hash of what {@link createFirebaseWriter} has written; undefined: it has not. */
export function readFirebaseHash(
  stored: string,
): { readonly salt: Uint8Array; readonly hash: Uint8Array } | undefined {
  if (!stored.startsWith(SEALED)) return undefined;
  const [, , , salt = "", hash = ""] = stored.slice(SEALED.length).split("$");
  return { salt: Buffer.from(salt, "base64"), hash: Buffer.from(hash, "base64") };
}

function signerKeyScope(siteId: SiteId): SealScope {
  return { purpose: "firebase_signer_key", siteId, context: [siteId] };
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
