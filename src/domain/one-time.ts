import { mintSiteSecret, readSiteSecret } from "../crypto/site-secret.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import type { Secret } from "../model/secret.ts";
import type { Site } from "../model/site.ts";
import type { User } from "../model/user.ts";
import {
  findOneTimeToken,
  insertOneTimeToken,
  type OneTimePurpose,
  type OneTimeToken,
} from "../store/one-time-tokens.ts";
import type { Queryable } from "../store/sql.ts";

/** A one-time token on its way to the one person it is for. */
export interface MintedOneTimeToken {
  readonly text: Secret;
  readonly purpose: OneTimePurpose;
  readonly expireTime: Date;
}

/** A one-time token that was presented and is good for its purpose. */
export interface PresentedOneTimeToken {
  readonly tokenHash: Buffer;
  readonly token: Omit<OneTimeToken, "tokenHash">;
}

/** Makes a token that proves the User's address as it is now, and stores its hash. */
export async function mintVerificationToken(
  tx: Queryable,
  site: Site,
  user: User,
  redirectUrl: string,
  now: Date,
): Promise<MintedOneTimeToken> {
  if (user.email === undefined) throw new Failure("user_not_active");
  const minted = mintSiteSecret("one_time_token", site.id);
  const purpose = "verify_email";
  const lifetimeMs = site.lifetimes.emailVerificationSeconds * 1_000;
  const expireTime = new Date(now.getTime() + lifetimeMs);
  const { id: userId, email } = user;
  const token = {
    tokenHash: minted.hash,
    userId,
    purpose,
    email,
    redirectUrl,
    expireTime,
  } as const;
  await insertOneTimeToken(tx, site.id, token, now);
  return { text: minted.text, purpose, expireTime };
}

/**
 * Finds a presented token, without using it.
 *
 * @throws {Failure} `one_time_token_invalid`, also for a token of another Site.
 */
export async function findPresentedToken(
  tx: Queryable,
  siteId: SiteId,
  text: string,
  purpose: OneTimePurpose,
  now: Date,
): Promise<PresentedOneTimeToken> {
  const presented = readSiteSecret("one_time_token", text);
  if (presented?.siteId !== siteId) throw new Failure("one_time_token_invalid");
  const token = await findOneTimeToken(tx, siteId, presented.hash, purpose, now);
  if (!token) throw new Failure("one_time_token_invalid");
  return { tokenHash: presented.hash, token };
}
