import type { Caller, Client } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import type { Secret } from "../model/secret.ts";
import type { Site } from "../model/site.ts";
import type { User, UserRef } from "../model/user.ts";
import { findAccountBy } from "../store/accounts.ts";
import type { Credentials } from "../store/credentials.ts";
import type { Deps } from "./deps.ts";
import { acceptGuess, type CountedGuess, checkGuess, countGuess, wrongGuess } from "./guesses.ts";

/** Whom somebody says to be, and with what. */
export interface LoginProof {
  readonly identifier: Extract<UserRef, { readonly by: "email" | "username" }>;
  readonly password: Secret;
  readonly client: Client;
  readonly signal: AbortSignal;
}

/** Who has an identifier; nobody may. */
export interface Account {
  readonly user: User | undefined;
  readonly credentials: Credentials | undefined;
}

/** A User whose password was right. */
export interface CheckedLogin {
  readonly user: User;
  readonly credentials: Credentials;
  readonly guess: CountedGuess;
}

/**
 * Checks a password, by the same work for an unknown name, a wrong password and an account that
 * may not sign in.
 *
 * @throws {Failure} `login_failed`; `email_unverified`, for the right password alone;
 *   `overloaded`.
 */
export async function checkLogin(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  proof: LoginProof,
): Promise<CheckedLogin> {
  const { password, signal } = proof;
  const { user, credentials, guess } = await countLogin(deps, siteId, proof);
  const checked = guess.allowed ? credentials?.password : undefined;
  const verify = () => deps.hasher.verify({ siteId, signal }, password, checked);
  const right = await checkGuess(deps, siteId, guess, verify);
  if (!right || !user || !credentials || user.state !== "active") {
    throw await wrongGuess(deps, caller, siteId, guess);
  }
  if (isUnverified(user)) {
    await deps.db.inSite(siteId, (tx) => acceptGuess(tx, siteId, guess));
    throw new Failure("email_unverified");
  }
  return { user, credentials, guess };
}

/** An imported User may have no address; it signs in by its username. */
export function isUnverified({ email, emailVerified }: User): boolean {
  return email !== undefined && !emailVerified;
}

/** Who has enrolled a second factor is asked for it, whatever the Site's policy is by now. */
export function missingStep(
  { mfaPolicy }: Site,
  { mfaEnabled }: User,
): "code" | "enrollment" | undefined {
  if (mfaEnabled) return "code";
  return mfaPolicy === "required" ? "enrollment" : undefined;
}

/** Finds whose password is to be checked, and counts the guess. @throws {Failure} `overloaded` */
export async function countLogin(
  deps: Deps,
  siteId: SiteId,
  { identifier, client }: Pick<LoginProof, "identifier" | "client">,
): Promise<Account & { readonly guess: CountedGuess }> {
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

/** Finds who has an identifier. */
export async function findAccount(
  deps: Deps,
  siteId: SiteId,
  identifier: UserRef,
): Promise<Account> {
  const account = await findAccountBy(deps.db.readIn(siteId), siteId, identifier);
  return { user: account?.user, credentials: account?.credentials };
}

/** Writes a name in one way, whichever kind it is of. */
export function nameOf(identifier: LoginProof["identifier"]): string {
  return identifier.by === "email"
    ? `email:${identifier.email}`
    : `username:${identifier.username}`;
}
