import { mintSiteSecret, readSiteSecret } from "../crypto/site-secret.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import type { Secret } from "../model/secret.ts";
import type { Site } from "../model/site.ts";
import {
  consumeLoginChallenge,
  findLoginChallenge,
  insertLoginChallenge,
  type LoginChallenge,
  type LoginStep,
} from "../store/login-challenges.ts";
import type { Queryable } from "../store/sql.ts";

/** The token of a login that waits, on its way to whoever showed the password. */
export interface MintedChallenge {
  readonly text: Secret;
  readonly expireTime: Date;
}

/** Makes the token with which a login goes on, and stores its hash. */
export async function mintLoginChallenge(
  tx: Queryable,
  { id: siteId, lifetimes }: Site,
  waiting: Omit<LoginChallenge, "tokenHash" | "expireTime">,
  now: Date,
): Promise<MintedChallenge> {
  const { text, hash: tokenHash } = mintSiteSecret("one_time_token", siteId);
  const expireTime = new Date(now.getTime() + lifetimes.mfaChallengeSeconds * 1_000);
  await insertLoginChallenge(tx, siteId, { ...waiting, tokenHash, expireTime }, now);
  return { text, expireTime };
}

/**
 * Finds the login that a presented token belongs to, without ending the waiting.
 *
 * @throws {Failure} `one_time_token_invalid`, also for a token of another Site or step.
 */
export async function findPresentedChallenge(
  tx: Queryable,
  siteId: SiteId,
  text: string,
  step: LoginStep,
  now: Date,
): Promise<LoginChallenge> {
  const presented = readSiteSecret("one_time_token", text);
  if (presented?.siteId !== siteId) throw new Failure("one_time_token_invalid");
  const challenge = await findLoginChallenge(tx, siteId, presented.hash, step, now);
  if (!challenge) throw new Failure("one_time_token_invalid");
  return challenge;
}

/** Ends the waiting. @throws {Failure} `one_time_token_invalid` if another call was quicker. */
export async function useChallenge(
  tx: Queryable,
  siteId: SiteId,
  { tokenHash }: LoginChallenge,
  now: Date,
): Promise<void> {
  if (await consumeLoginChallenge(tx, siteId, tokenHash, now)) return;
  throw new Failure("one_time_token_invalid");
}
