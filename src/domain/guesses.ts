import { hashDeviceToken } from "../crypto/device-token.ts";
import type { Client } from "../model/caller.ts";
import {
  type AccountId,
  type AttemptId,
  idFromBytes,
  newId,
  type SiteId,
  type UserId,
} from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { addressGroup } from "../model/network-address.ts";
import {
  clearGuessCount,
  clearGuessCounts,
  countGuess as countInStore,
  type GuessCounter,
  uncountGuess,
} from "../store/guess-counts.ts";
import { isKnownDevice } from "../store/known-devices.ts";
import { type GuessFlow, insertLoginAttempt, setAttemptOutcome } from "../store/login-attempts.ts";
import { addMailJob } from "../store/mail-jobs.ts";
import type { Queryable } from "../store/sql.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";

/** Who is guessed at, and from where. */
export interface Guess {
  /** Absent: nobody has the name. */
  readonly userId: UserId | undefined;
  /** The name that was given; absent where a token has named the User. */
  readonly identifier?: string;
  readonly flow: GuessFlow;
  readonly client: Client;
}

/** A guess that was counted, and may be taken back by {@link acceptGuess}. */
export interface CountedGuess {
  /** Whether it may be checked at all. A caller must not tell a refused guess from a wrong one. */
  readonly allowed: boolean;
  readonly attemptId: AttemptId;
  readonly counter: GuessCounter;
}

const ANYWHERE = Buffer.alloc(0);

/**
 * Counts a guess at a password or a code. It is counted before it is checked, in a transaction of
 * its own, so that of any number of guesses at the same time exactly as many are checked as the
 * limit says.
 *
 * Guesses at an account that nobody has are counted, locked and kept just the same, so that time
 * does not tell. A known device has a counter of its own, so that guesses from elsewhere do not
 * lock it out.
 */
export async function countGuess(deps: Deps, siteId: SiteId, guess: Guess): Promise<CountedGuess> {
  const { userId, identifier, flow, client } = guess;
  const digest = identifier === undefined ? undefined : digestOf(deps, siteId, identifier);
  const accountId = userId ?? idFromBytes<AccountId>((digest ?? ANYWHERE).subarray(0, 16));
  const source = client.ip === "" ? undefined : addressGroup(client.ip);
  return await deps.db.inSite(siteId, async (tx) => {
    const now = deps.clock.now();
    const attemptId = newId<AttemptId>(now);
    const counter = { accountId, deviceHash: await knownDevice(tx, siteId, userId, client) };
    const lockUntil = new Date(now.getTime() + LIMITS.lockMs);
    const bounds = { max: LIMITS.guessesMax, now, lockUntil };
    const counted = await countInStore(tx, siteId, counter, bounds);
    const outcome = counted ? "failed" : "refused";
    const attempt = { id: attemptId, userId, identifierDigest: digest, flow, source };
    await insertLoginAttempt(tx, siteId, { ...attempt, outcome }, now);
    if (counted?.locked) {
      const act = {
        kind: "user.locked",
        clientIp: client.ip,
        ...(userId && { subjectId: userId }),
      };
      await recordAct(tx, siteId, { kind: "system" }, act, now);
      // A mail to nobody is dropped when it is made.
      await addMailJob(tx, { mail: "account_locked", siteId, userId: accountId as UserId });
    }
    return { allowed: counted !== undefined, attemptId, counter };
  });
}

/**
 * Checks a counted guess. One that could not be checked, since there are too many passwords to
 * hash or the caller has left, is taken back: who tries again in vain must not be locked out.
 */
export async function checkGuess(
  deps: Deps,
  siteId: SiteId,
  { allowed, attemptId, counter }: CountedGuess,
  check: () => Promise<boolean>,
): Promise<boolean> {
  try {
    return await check();
  } catch (error) {
    if (allowed) {
      await deps.db.inSite(siteId, async (tx) => {
        await uncountGuess(tx, siteId, counter);
        await setAttemptOutcome(tx, siteId, attemptId, "refused");
      });
    }
    throw error;
  }
}

/** Notes a guess that was right, while another is still to come: it stays counted. */
export async function noteRightGuess(
  tx: Queryable,
  siteId: SiteId,
  { attemptId }: CountedGuess,
): Promise<void> {
  await setAttemptOutcome(tx, siteId, attemptId, "succeeded");
}

/** Takes a guess back that was right, and the last that was needed: its counter begins anew. */
export async function acceptGuess(
  tx: Queryable,
  siteId: SiteId,
  guess: CountedGuess,
): Promise<void> {
  await noteRightGuess(tx, siteId, guess);
  await clearGuessCount(tx, siteId, guess.counter);
}

/** Forgets all guesses at an account, and lifts every lock. */
export async function forgiveGuesses(tx: Queryable, siteId: SiteId, userId: UserId): Promise<void> {
  await clearGuessCounts(tx, siteId, userId);
}

function digestOf(deps: Deps, siteId: SiteId, identifier: string): Buffer {
  return deps.keyedDigest(siteId, "login_identifier", identifier);
}

async function knownDevice(
  tx: Queryable,
  siteId: SiteId,
  userId: UserId | undefined,
  { deviceToken }: Client,
): Promise<Buffer> {
  if (deviceToken === undefined) return ANYWHERE;
  // Looked up for nobody too: the same work is done whether or not there is such a User.
  const asked = userId ?? newId<UserId>();
  const hash = hashDeviceToken(siteId, asked, deviceToken);
  return (await isKnownDevice(tx, siteId, asked, hash)) ? hash : ANYWHERE;
}
