import type { HashCaller } from "../crypto/hash-queue.ts";
import type { PasswordHash } from "../crypto/password-hash.ts";
import { mintSiteSecret, readSiteSecret } from "../crypto/site-secret.ts";
import type { EmailAddress } from "../model/email-address.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId, UserId } from "../model/id.ts";
import type { OneTimePurpose } from "../model/one-time.ts";
import type { Secret } from "../model/secret.ts";
import type { Site } from "../model/site.ts";
import type { User } from "../model/user.ts";
import {
  consumeOneTimeToken,
  deleteOneTimeTokens,
  findOneTimeToken,
  insertOneTimeToken,
  type OneTimeToken,
} from "../store/one-time-tokens.ts";
import type { Queryable } from "../store/sql.ts";
import { findUser, type LockedUser, lockUser } from "../store/users.ts";
import type { Deps } from "./deps.ts";
import { refuseNames } from "./new-password.ts";

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

/** What a token is to be made for. */
export interface OneTimeGrant {
  readonly purpose: OneTimePurpose;
  readonly userId: UserId;
  /** The address that the token is sent to, and proves. */
  readonly email: EmailAddress;
  /** Where the person is sent on to afterwards; empty: the Site's front end. */
  readonly redirectUrl: string;
}

/** Makes a token for one purpose and address, and stores its hash. */
export async function mintOneTimeToken(
  tx: Queryable,
  site: Site,
  grant: OneTimeGrant,
  now: Date,
): Promise<MintedOneTimeToken> {
  const minted = mintSiteSecret("one_time_token", site.id);
  const expireTime = new Date(now.getTime() + lifetimeSecondsOf(site, grant.purpose) * 1_000);
  await insertOneTimeToken(tx, site.id, { ...grant, tokenHash: minted.hash, expireTime }, now);
  return { text: minted.text, purpose: grant.purpose, expireTime };
}

/** Returns for how long a token of this purpose is good on a Site. */
export function lifetimeSecondsOf({ lifetimes }: Site, purpose: OneTimePurpose): number {
  switch (purpose) {
    case "verify_email":
      return lifetimes.emailVerificationSeconds;
    case "reset_password":
      return lifetimes.passwordResetSeconds;
    case "accept_invitation":
      return lifetimes.invitationSeconds;
    case "change_email":
      return lifetimes.emailChangeSeconds;
  }
}

/** The password that a token is to set. */
export interface TokenPassword {
  readonly password: Secret;
  /** The field of the request that has it. */
  readonly field: string;
  /** What the same call sets of the User. */
  readonly fields?: Partial<Pick<User, "username" | "displayName">>;
}

/**
 * Hashes the password that a token is to set, once the token was seen to be good: a hash is too
 * costly to be made for whoever asks, and nobody else is told whether the User's names are in it.
 *
 * @throws {Failure} `one_time_token_invalid`, `password_rejected`, `overloaded`.
 */
export async function hashForToken(
  deps: Deps,
  caller: HashCaller,
  text: string,
  purpose: OneTimePurpose,
  { password, field, fields }: TokenPassword,
): Promise<PasswordHash> {
  const { siteId } = caller;
  const { site } = await deps.sites.get(siteId);
  const user = await findTokenUser(deps, siteId, text, purpose);
  refuseNames(password, field, { site, user: { ...user, ...fields } });
  return await deps.hasher.hash(caller, password);
}

/** Finds the User of a good token, without using it. @throws {Failure} `one_time_token_invalid` */
export async function findTokenUser(
  deps: Deps,
  siteId: SiteId,
  text: string,
  purpose: OneTimePurpose,
): Promise<User> {
  return await deps.db.inSite(siteId, async (tx) => {
    const { token } = await findPresentedToken(tx, siteId, text, purpose, deps.clock.now());
    const user = await findUser(tx, siteId, { by: "id", id: token.userId });
    if (!user || !isUsable(token, user)) throw new Failure("one_time_token_invalid");
    return user;
  });
}

/** A presented token, and its User, who stays locked until the transaction ends. */
export interface LockedToken extends PresentedOneTimeToken {
  readonly locked: LockedUser;
}

/**
 * Finds a presented token and locks its User, who must be in a state in which it counts.
 *
 * @throws {Failure} `one_time_token_invalid`
 */
export async function lockPresentedToken(
  tx: Queryable,
  siteId: SiteId,
  text: string,
  purpose: OneTimePurpose,
  now: Date,
): Promise<LockedToken> {
  const presented = await findPresentedToken(tx, siteId, text, purpose, now);
  const locked = await lockUser(tx, siteId, presented.token.userId);
  if (!locked || !isUsable(presented.token, locked.user)) {
    throw new Failure("one_time_token_invalid");
  }
  return { ...presented, locked };
}

/**
 * Uses a token; of any number of callers at once, one succeeds. All tokens of the User for the
 * same purpose go with it.
 *
 * @throws {Failure} `one_time_token_invalid`
 */
export async function useToken(
  tx: Queryable,
  siteId: SiteId,
  { tokenHash, token: { purpose, userId } }: PresentedOneTimeToken,
  now: Date,
): Promise<void> {
  if (!(await consumeOneTimeToken(tx, siteId, tokenHash, purpose, now))) {
    throw new Failure("one_time_token_invalid");
  }
  await deleteOneTimeTokens(tx, siteId, userId, purpose);
}

/** Tells whether the token proves what it was made for of a User as it is now. */
export function isUsable(
  { purpose, email }: Pick<OneTimeToken, "purpose" | "email">,
  user: User,
): boolean {
  const state = purpose === "accept_invitation" ? "invited" : "active";
  return user.state === state && (purpose === "change_email" || user.email === email);
}

/**
 * Finds a presented token, of one purpose or of any, without using it.
 *
 * @throws {Failure} `one_time_token_invalid`, also for a token of another Site.
 */
export async function findPresentedToken(
  tx: Queryable,
  siteId: SiteId,
  text: string,
  purpose: OneTimePurpose | undefined,
  now: Date,
): Promise<PresentedOneTimeToken> {
  const presented = readSiteSecret("one_time_token", text);
  if (presented?.siteId !== siteId) throw new Failure("one_time_token_invalid");
  const token = await findOneTimeToken(tx, siteId, presented.hash, purpose, now);
  if (!token) throw new Failure("one_time_token_invalid");
  return { tokenHash: presented.hash, token };
}
