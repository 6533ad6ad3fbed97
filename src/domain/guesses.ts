import { hashDeviceToken } from "../crypto/device-token.ts";
import type { Caller, Client } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import {
  type AccountId,
  type AttemptId,
  idFromBytes,
  idToBytes,
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
  markTold,
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
  /** Whether it is the last one before the lock. */
  readonly locked: boolean;
  /** Whether the audit log knows already that somebody is guessing. */
  readonly told: boolean;
  readonly guess: Guess;
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
    const { locked = false, told = true } = counted ?? {};
    return { allowed: counted !== undefined, locked, told, guess, attemptId, counter };
  });
}

/**
 * Checks a counted guess. One that could not be checked, since there are too many passwords to
 * hash or the caller has left, is taken back: who tries again in vain must not be locked out.
 */
export async function checkGuess<T>(
  deps: Deps,
  siteId: SiteId,
  { allowed, attemptId, counter }: CountedGuess,
  check: () => Promise<T>,
): Promise<T> {
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

/** Tells of a guess that was wrong, and returns how it is refused. */
export async function wrongGuess(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  counted: CountedGuess,
): Promise<Failure> {
  if (counted.locked || !counted.told) {
    await deps.db.inSite(siteId, (tx) => tellWrongGuess(deps, tx, caller, siteId, counted));
  }
  return new Failure("login_failed");
}

/**
 * Tells the audit log of a guess that was wrong, in a transaction that goes on to commit: of the
 * first one since the counter began, and of the last one before the lock, which the User is told
 * by mail too. A flood must not fill the log, so of guesses at names that nobody has, however many
 * the names, one in a while is told for the whole Site.
 */
export async function tellWrongGuess(
  deps: Deps,
  tx: Queryable,
  caller: Caller,
  siteId: SiteId,
  { locked, told, guess, counter }: CountedGuess,
): Promise<void> {
  const { userId, flow, client } = guess;
  const { ip: clientIp } = client;
  const now = deps.clock.now();
  const first = !told && (await markTold(tx, siteId, counter));
  if (first && (userId !== undefined || (await isFirstAtNobody(tx, siteId, now)))) {
    const act = { kind: "login.failed", details: { flow }, clientIp };
    await recordAct(tx, siteId, caller, { ...act, ...(userId && { subjectId: userId }) }, now);
  }
  if (!locked) return;
  if (userId) {
    const act = { kind: "user.locked", subjectId: userId, clientIp };
    await recordAct(tx, siteId, { kind: "system" }, act, now);
  }
  // A mail to nobody is dropped when it is made.
  const subject = counter.accountId as UserId;
  await addMailJob(tx, { mail: "account_locked", siteId, userId: subject });
}

/**
 * Takes a guess back that was right while another is still to come. Those before it stay counted:
 * a right password must not give new guesses at the code.
 */
export async function takeBackGuess(
  tx: Queryable,
  siteId: SiteId,
  { attemptId, counter }: CountedGuess,
): Promise<void> {
  await setAttemptOutcome(tx, siteId, attemptId, "succeeded");
  await uncountGuess(tx, siteId, counter);
}

/** Takes a guess back that was right, and the last that was needed: its counter begins anew. */
export async function acceptGuess(
  tx: Queryable,
  siteId: SiteId,
  { attemptId, counter }: CountedGuess,
): Promise<void> {
  await setAttemptOutcome(tx, siteId, attemptId, "succeeded");
  await clearGuessCount(tx, siteId, counter);
}

/** Forgets all guesses at an account, and lifts every lock. */
export async function forgiveGuesses(tx: Queryable, siteId: SiteId, userId: UserId): Promise<void> {
  await clearGuessCounts(tx, siteId, userId);
}

/** A counter under the Site's own id, which the first guess of a while locks for that while. */
async function isFirstAtNobody(tx: Queryable, siteId: SiteId, now: Date): Promise<boolean> {
  const counter = { accountId: idFromBytes<AccountId>(idToBytes(siteId)), deviceHash: ANYWHERE };
  const lockUntil = new Date(now.getTime() + LIMITS.lockMs);
  return (await countInStore(tx, siteId, counter, { max: 1, now, lockUntil })) !== undefined;
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
