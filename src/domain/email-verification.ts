import type { Caller, Client } from "../model/caller.ts";
import { Failure, invalidField } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import type { Secret } from "../model/secret.ts";
import type { User } from "../model/user.ts";
import { updatePassword } from "../store/credentials.ts";
import { consumeOneTimeToken, deleteOneTimeTokens } from "../store/one-time-tokens.ts";
import { lockUser } from "../store/users.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { findPresentedToken } from "./one-time.ts";
import { saveUser, write } from "./write.ts";

/** What a person brings to verify an address. */
export interface EmailVerification {
  readonly token: string;
  /** Needed exactly where the User has no password yet. */
  readonly password: Secret | undefined;
  /** Where the User has none yet. */
  readonly username: string | undefined;
  readonly client: Client;
  readonly signal: AbortSignal;
}

/** The User afterwards, and where to send the person on to. */
export interface Verified {
  readonly user: User;
  readonly redirectUrl: string;
}

/**
 * Marks a User's address as verified with the token of the mail.
 *
 * The token is used in the statement that acts, and a refusal for another field's sake leaves
 * it good, since the transaction is taken back as a whole.
 *
 * @throws {Failure} `one_time_token_invalid`, `invalid_field`, `username_taken`, `overloaded`.
 */
export async function verifyEmail(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  { token, password, username, client, signal }: EmailVerification,
): Promise<Verified> {
  const { site } = await deps.sites.get(siteId);
  await deps.db.inSite(siteId, (tx) =>
    findPresentedToken(tx, siteId, token, "verify_email", deps.clock.now()),
  ); // Before the costly hash.
  const hash = password && (await deps.hasher.hash({ siteId, signal }, password));
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const presented = await findPresentedToken(tx, siteId, token, "verify_email", now);
    const locked = await lockUser(tx, siteId, presented.token.userId);
    const before = locked?.user;
    if (!locked || before?.email !== presented.token.email || before.state !== "active") {
      throw new Failure("one_time_token_invalid");
    }
    checkFields(before, password !== undefined, username);
    const { tokenHash } = presented;
    if (!(await consumeOneTimeToken(tx, siteId, tokenHash, "verify_email", now))) {
      throw new Failure("one_time_token_invalid");
    }
    await deleteOneTimeTokens(tx, siteId, before.id, "verify_email");
    if (hash) await updatePassword(tx, siteId, before.id, hash);
    const after: User = {
      ...before,
      version: locked.nextVersion,
      emailVerified: true,
      username: username ?? before.username,
      passwordChangeTime: hash ? now : before.passwordChangeTime,
      updateTime: now,
    };
    const user = await saveUser(
      deps,
      tx,
      before,
      after,
      hash ? ["user_email_verified", "user_password_changed"] : ["user_email_verified"],
    );
    const act = { kind: "user.email_verified", subjectId: user.id, clientIp: client.ip };
    await recordAct(tx, siteId, caller, act, now);
    return { user, redirectUrl: presented.token.redirectUrl || site.frontendUrl };
  });
}

function checkFields(user: User, hasPassword: boolean, username: string | undefined): void {
  if (!user.passwordChangeTime && !hasPassword) throw invalidField("password", "is required");
  if (user.passwordChangeTime && hasPassword) {
    throw invalidField("password", "must be empty: the User has one");
  }
  if (username !== undefined && user.username !== undefined && user.username !== username) {
    throw invalidField("username", "must be empty: the User has one");
  }
}
