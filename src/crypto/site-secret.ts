import { hash, randomBytes } from "node:crypto";
import { idFromBytes, idToBytes, type SiteId } from "../model/id.ts";
import { type Secret, secret } from "../model/secret.ts";
import { decodeBase64Url } from "./base64url.ts";

/** The opaque secrets that belong to one Site and carry its id in clear. */
export type SiteSecretKind = "site_key" | "refresh_token" | "one_time_token";

/** A new secret: the text goes to its holder and is never stored, the hash is. */
export interface MintedSecret {
  readonly text: Secret;
  /** SHA-256; 256 random bits cannot be guessed, so a slow hash would add nothing. */
  readonly hash: Buffer;
}

/** What a presented secret says: where to look for it, and under which hash. */
export interface PresentedSecret {
  readonly siteId: SiteId;
  readonly hash: Buffer;
}

/** The prefixes let secret scanners find a leaked secret, and people tell them apart. */
const PREFIX: Readonly<Record<SiteSecretKind, string>> = {
  site_key: "sgn_site_",
  refresh_token: "sgn_rt_",
  one_time_token: "sgn_ot_",
};
const OPERATOR_PREFIX = "sgn_op_";
const SITE_ID_BYTES = 16;
const RANDOM_BYTES = 32;

/** Makes a secret of a Site from 256 random bits. */
export function mintSiteSecret(kind: SiteSecretKind, siteId: SiteId): MintedSecret {
  const body = Buffer.concat([idToBytes(siteId), randomBytes(RANDOM_BYTES)]);
  return minted(kind, PREFIX[kind] + body.toString("base64url"));
}

/**
 * Reads a presented secret; undefined if it is not one of this kind in its canonical form.
 *
 * The Site's id is a claim of the holder until the hash is found among that Site's secrets.
 */
export function readSiteSecret(kind: SiteSecretKind, text: string): PresentedSecret | undefined {
  const body = readBody(PREFIX[kind], SITE_ID_BYTES + RANDOM_BYTES, text);
  if (!body) return undefined;
  return { siteId: idFromBytes(body.subarray(0, SITE_ID_BYTES)), hash: hashOf(kind, text) };
}

/** Makes a key for whoever runs Signet, from 256 random bits. */
export function mintOperatorKey(): MintedSecret {
  return minted("operator_key", OPERATOR_PREFIX + randomBytes(RANDOM_BYTES).toString("base64url"));
}

/** Returns the hash of a presented operator key; undefined if it does not look like one. */
export function operatorKeyHash(text: string): Buffer | undefined {
  return readBody(OPERATOR_PREFIX, RANDOM_BYTES, text) && hashOf("operator_key", text);
}

function minted(kind: SiteSecretKind | "operator_key", text: string): MintedSecret {
  return { text: secret(text), hash: hashOf(kind, text) };
}

function readBody(prefix: string, bytes: number, text: string): Buffer | undefined {
  const length = prefix.length + Math.ceil((bytes * 4) / 3);
  if (text.length !== length || !text.startsWith(prefix)) return undefined;
  return decodeBase64Url(text.slice(prefix.length));
}

/** The kind is hashed too, so that a hash of one table never matches in another. */
function hashOf(kind: SiteSecretKind | "operator_key", text: string): Buffer {
  return hash("sha256", `signet:${kind}\0${text}`, "buffer");
}
