import type { PasswordHash } from "../crypto/password-hash.ts";
import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import { type Credentials, isGeneration, updatePassword } from "../store/credentials.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { acceptGuess, takeBackGuess } from "./guesses.ts";
import type { KnownSite } from "./known-sites.ts";
import { type MintedChallenge, mintLoginChallenge } from "./login-challenges.ts";
import { type CheckedLogin, checkLogin, type LoginProof, missingStep } from "./login-check.ts";
import { owesFactor } from "./peer-copies.ts";
import { type ArrivedUser, arriveFromPeer, refuseAsSlowly } from "./peer-login.ts";
import { type StartedSession, startSession } from "./started-session.ts";
import { audiencesOf } from "./tokens.ts";
import { write } from "./write.ts";

/** What a User brings to sign in. */
export interface LoginAttempt extends LoginProof {
  /** Whom the tokens are for; none: the Site's default. */
  readonly audiences: readonly string[];
}

/** A Session, or the step that is missing. */
export type LoginOutcome =
  | { readonly outcome: "session"; readonly started: StartedSession }
  | { readonly outcome: "code" | "enrollment"; readonly challenge: MintedChallenge };

/**
 * Signs a User in with a password, or tells which step is missing. Who is unknown here may be
 * known to a Peer of the Site.
 *
 * An unknown name, a wrong password and an account that may not sign in are refused alike, and
 * after the same work.
 *
 * @throws {Failure} `login_failed`; `email_unverified`, for the right password alone;
 *   `overloaded`.
 */
export async function login(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  attempt: LoginAttempt,
): Promise<LoginOutcome> {
  const known = await deps.sites.get(siteId);
  const arrival = await arriveFromPeer(deps, caller, known, attempt);
  if (arrival?.outcome === "challenge") return { outcome: "code", challenge: arrival.challenge };
  const check = () => checkLogin(deps, caller, siteId, attempt);
  const checked = arrival ?? (await refuseAsSlowly(deps, siteId, attempt, check));
  return await admit(deps, caller, known, attempt, checked);
}

/** Starts the Session of whoever has shown the password, or asks for what is missing. */
async function admit(
  deps: Deps,
  caller: Caller,
  known: KnownSite,
  attempt: LoginAttempt,
  checked: CheckedLogin | ArrivedUser,
): Promise<LoginOutcome> {
  const { site } = known;
  const { user, credentials, guess } = checked;
  const { client } = attempt;
  const rehashed = await rehash(deps, site.id, attempt, credentials);
  const { generation } = credentials;
  const proved = { user, generation, client, amr: ["pwd"] };
  const audiences = audiencesOf(deps, known, attempt.audiences);
  return await write(deps, site.id, async (tx): Promise<LoginOutcome> => {
    const now = deps.clock.now();
    const step =
      missingStep(site, user) ?? ((await owesFactor(tx, site, user)) ? "enrollment" : undefined);
    if (step) {
      // Whatever voids Sessions raises the generation under this row lock.
      if (!(await isGeneration(tx, site.id, user.id, generation)))
        throw new Failure("login_failed");
      if (rehashed) await updatePassword(tx, site.id, user.id, rehashed);
      const waiting = { step, userId: user.id, generation, audiences, client };
      const challenge = await mintLoginChallenge(tx, site, waiting, now);
      if (guess) await takeBackGuess(tx, site.id, guess);
      const act = { kind: "login.challenged", subjectId: user.id, clientIp: client.ip };
      await recordAct(tx, site.id, caller, { ...act, details: { step } }, now);
      return { outcome: step, challenge };
    }
    const started = await startSession(deps, tx, caller, known, { ...proved, audiences }, now);
    if (rehashed) await updatePassword(tx, site.id, user.id, rehashed);
    if (guess) await acceptGuess(tx, site.id, guess);
    return { outcome: "session", started };
  });
}

/**
 * Hashes the password anew if it was stored with older parameters. Where too many are waiting, the
 * next login does it.
 */
async function rehash(
  { hasher }: Deps,
  siteId: SiteId,
  { password, signal }: LoginAttempt,
  { password: stored }: Credentials,
): Promise<PasswordHash | undefined> {
  if (!stored || !hasher.needsRehash(stored)) return undefined;
  return await hasher.hash({ siteId, signal }, password).catch((error: unknown) => {
    if (error instanceof Failure && error.reason === "overloaded") return undefined;
    throw error;
  });
}
