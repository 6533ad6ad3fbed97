import type { Caller, Client } from "../model/caller.ts";
import type { EmailAddress } from "../model/email-address.ts";
import { invalidField } from "../model/failure.ts";
import { newId, type SiteId, type UserId } from "../model/id.ts";
import type { Secret } from "../model/secret.ts";
import type { User } from "../model/user.ts";
import { updatePassword } from "../store/credentials.ts";
import { addMailJob } from "../store/mail-jobs.ts";
import { findUser } from "../store/users.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { refuseNames } from "./new-password.ts";
import {
  findTokenUser,
  lockPresentedToken,
  type MintedOneTimeToken,
  mintOneTimeToken,
  useToken,
} from "./one-time.ts";
import { changesBetween } from "./user-changes.ts";
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
 * @throws {Failure} `one_time_token_invalid`, `invalid_field`, `password_rejected`,
 *   `username_taken`, `overloaded`.
 */
export async function verifyEmail(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  { token, password, username, client, signal }: EmailVerification,
): Promise<Verified> {
  const { site } = await deps.sites.get(siteId);
  const found = await findTokenUser(deps, siteId, token, "verify_email"); // Before the hash.
  const named = { ...found, username: username ?? found.username };
  if (password) refuseNames(password, "password", { site, user: named });
  const hash = password && (await deps.hasher.hash({ siteId, signal }, password));
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const presented = await lockPresentedToken(tx, siteId, token, "verify_email", now);
    const { user: before, nextVersion } = presented.locked;
    await useToken(tx, siteId, presented, now);
    checkFields(before, password !== undefined, username);
    if (hash) await updatePassword(tx, siteId, before.id, hash);
    const after: User = {
      ...before,
      version: nextVersion,
      emailVerified: true,
      username: username ?? before.username,
      passwordChangeTime: hash ? now : before.passwordChangeTime,
      updateTime: now,
    };
    const changes = changesBetween(before, after);
    if (hash) changes.push("user_password_changed");
    const [first, ...others] = changes; // None, where somebody has vouched for the address.
    const user = first ? await saveUser(deps, tx, before, after, [first, ...others]) : before;
    const act = { kind: "user.email_verified", subjectId: user.id, clientIp: client.ip };
    await recordAct(tx, siteId, caller, act, now);
    return { user, redirectUrl: presented.token.redirectUrl || site.frontendUrl };
  });
}

/** What a person brings to be sent another link. */
export interface VerificationRequest {
  readonly email: EmailAddress;
  readonly redirectUrl: string;
  /** Whether the caller sends the mail itself, and so gets the token. */
  readonly returnToken: boolean;
  readonly client: Client;
}

/**
 * Sends the mail that asks to verify an address once more, if the address waits for that. The
 * same work is done in either case: a mail to nobody is dropped when it is made.
 */
export async function resendVerification(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  { email, redirectUrl, returnToken, client }: VerificationRequest,
): Promise<MintedOneTimeToken | undefined> {
  const { site } = await deps.sites.get(siteId);
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const user = await findUser(tx, siteId, { by: "email", email });
    const waits = user?.state === "active" && !user.emailVerified;
    const userId = waits ? user.id : newId<UserId>(now);
    const act = { kind: "user.verification_requested", clientIp: client.ip };
    await recordAct(tx, siteId, caller, { ...act, ...(waits && { subjectId: userId }) }, now);
    if (!returnToken) {
      await addMailJob(tx, { mail: "verify_email", siteId, userId, redirectUrl });
      return undefined;
    }
    const grant = { purpose: "verify_email", userId, email, redirectUrl } as const;
    return waits ? await mintOneTimeToken(tx, site, grant, now) : undefined;
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
