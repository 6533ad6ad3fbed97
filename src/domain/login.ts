import type { PasswordHash } from "../crypto/password-hash.ts";
import type { Caller, Client } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { newId, type SiteId, type UserId } from "../model/id.ts";
import type { Secret } from "../model/secret.ts";
import type { Site } from "../model/site.ts";
import type { User, UserRef } from "../model/user.ts";
import {
  type Credentials,
  findCredentials,
  isGeneration,
  updatePassword,
} from "../store/credentials.ts";
import type { LoginStep } from "../store/login-challenges.ts";
import type { Queryable } from "../store/sql.ts";
import { findUser } from "../store/users.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { acceptGuess, checkGuess, countGuess, takeBackGuess, wrongGuess } from "./guesses.ts";
import { type MintedChallenge, mintLoginChallenge } from "./login-challenges.ts";
import { type StartedSession, startSession } from "./started-session.ts";
import { audiencesOf } from "./tokens.ts";
import { write } from "./write.ts";

/** What a User brings to sign in. */
export interface LoginAttempt {
  readonly identifier: Extract<UserRef, { readonly by: "email" | "username" }>;
  readonly password: Secret;
  /** Whom the tokens are for; none: the Site's default. */
  readonly audiences: readonly string[];
  readonly client: Client;
  readonly signal: AbortSignal;
}

/** A Session, or the step that is missing. */
export type LoginOutcome =
  | { readonly outcome: "session"; readonly started: StartedSession }
  | { readonly outcome: LoginStep; readonly challenge: MintedChallenge };

/**
 * Signs a User in with a password, or tells which step is missing.
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
  const { password, signal, client } = attempt;
  const { user, credentials, guess } = await countLogin(deps, siteId, attempt);
  const checked = guess.allowed ? credentials?.password : undefined;
  const verify = () => deps.hasher.verify({ siteId, signal }, password, checked);
  const right = await checkGuess(deps, siteId, guess, verify);
  if (!right || !user || !credentials || user.state !== "active") {
    throw await wrongGuess(deps, caller, siteId, guess);
  }
  // An imported User may have no address; it signs in by its username.
  if (user.email !== undefined && !user.emailVerified) {
    await deps.db.inSite(siteId, (tx) => acceptGuess(tx, siteId, guess));
    throw new Failure("email_unverified");
  }

  const rehashed = await rehash(deps, siteId, attempt, credentials);
  const { generation } = credentials;
  const proved = { user, generation, client, amr: ["pwd"] };
  const audiences = audiencesOf(deps, known, attempt.audiences);
  const step = missingStep(known.site, user);
  return await write(deps, siteId, async (tx): Promise<LoginOutcome> => {
    const now = deps.clock.now();
    // Whatever voids Sessions raises the generation under this row lock.
    if (!(await isGeneration(tx, siteId, user.id, generation))) throw new Failure("login_failed");
    if (rehashed) await updatePassword(tx, siteId, user.id, rehashed);
    if (step) {
      const waiting = { step, userId: user.id, generation, audiences, client };
      const challenge = await mintLoginChallenge(tx, known.site, waiting, now);
      await takeBackGuess(tx, siteId, guess);
      const act = { kind: "login.challenged", subjectId: user.id, clientIp: client.ip };
      await recordAct(tx, siteId, caller, { ...act, details: { step } }, now);
      return { outcome: step, challenge };
    }
    await acceptGuess(tx, siteId, guess);
    const started = await startSession(deps, tx, caller, known, { ...proved, audiences }, now);
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

/** Who has enrolled a second factor is asked for it, whatever the Site's policy is by now. */
function missingStep({ mfaPolicy }: Site, { mfaEnabled }: User): LoginStep | undefined {
  if (mfaEnabled) return "code";
  return mfaPolicy === "required" ? "enrollment" : undefined;
}

/** Finds whose password is to be checked, and counts the guess. @throws {Failure} `overloaded` */
async function countLogin(deps: Deps, siteId: SiteId, { identifier, client }: LoginAttempt) {
  const arrive = deps.hasher.announce(siteId);
  try {
    const { user, credentials } = await findAccount(deps, siteId, identifier);
    const named = {
      userId: user?.id,
      identifier: nameOf(identifier),
      flow: "login",
      client,
    } as const;
    return { user, credentials, guess: await countGuess(deps, siteId, named) };
  } finally {
    arrive();
  }
}

async function findAccount(
  deps: Deps,
  siteId: SiteId,
  identifier: UserRef,
): Promise<{ readonly user: User | undefined; readonly credentials: Credentials | undefined }> {
  return await deps.db.inSite(
    siteId,
    async (tx: Queryable) => {
      const user = await findUser(tx, siteId, identifier);
      // Looked up for nobody too: the same work is done whether or not there is such a User.
      const credentials = await findCredentials(tx, siteId, user?.id ?? newId<UserId>());
      return { user, credentials };
    },
    { readOnly: true },
  );
}

/** Writes a name in one way, whichever kind it is of. */
function nameOf(identifier: LoginAttempt["identifier"]): string {
  return identifier.by === "email"
    ? `email:${identifier.email}`
    : `username:${identifier.username}`;
}
