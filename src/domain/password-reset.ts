import type { Caller, Client } from "../model/caller.ts";
import { newId, type SiteId, type UserId } from "../model/id.ts";
import type { Secret } from "../model/secret.ts";
import type { User, UserRef } from "../model/user.ts";
import { updatePassword } from "../store/credentials.ts";
import { addMailJob } from "../store/mail-jobs.ts";
import { findUser } from "../store/users.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { forgiveGuesses } from "./guesses.ts";
import {
  hashForToken,
  lockPresentedToken,
  type MintedOneTimeToken,
  mintOneTimeToken,
  useToken,
} from "./one-time.ts";
import { endAllSessions } from "./sessions.ts";
import { saveUser, write } from "./write.ts";

/** What a person brings to be sent a link. */
export interface ResetRequest {
  readonly identifier: Extract<UserRef, { readonly by: "email" | "username" }>;
  readonly redirectUrl: string;
  /** Whether the caller sends the mail itself, and so gets the token. */
  readonly returnToken: boolean;
  readonly client: Client;
}

/**
 * Sends the mail with the link to set a new password, if there is a User who may sign in. The
 * same work is done in either case: a mail to nobody is dropped when it is made.
 */
export async function requestPasswordReset(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  { identifier, redirectUrl, returnToken, client }: ResetRequest,
): Promise<MintedOneTimeToken | undefined> {
  const { site } = await deps.sites.get(siteId);
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const found = await findUser(tx, siteId, identifier);
    const user = found?.state === "active" ? found : undefined;
    const userId = user?.id ?? newId<UserId>(now);
    const act = { kind: "user.password_reset_requested", clientIp: client.ip };
    await recordAct(tx, siteId, caller, { ...act, ...(user && { subjectId: userId }) }, now);
    if (!returnToken) {
      await addMailJob(tx, { mail: "reset_password", siteId, userId, redirectUrl });
      return undefined;
    }
    if (!user?.email) return undefined;
    const grant = { purpose: "reset_password", userId, email: user.email, redirectUrl } as const;
    return await mintOneTimeToken(tx, site, grant, now);
  });
}

/** What a person brings to set a new password. */
export interface PasswordReset {
  readonly token: string;
  readonly newPassword: Secret;
  readonly client: Client;
  readonly signal: AbortSignal;
}

/**
 * Sets a new password with the token of the mail. Who reads the mail owns the account: every
 * Session ends, the lock is lifted, and the address counts as verified.
 *
 * @throws {Failure} `one_time_token_invalid`, `password_rejected`, `overloaded`.
 */
export async function resetPassword(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  { token, newPassword, client, signal }: PasswordReset,
): Promise<{ readonly user: User; readonly redirectUrl: string }> {
  const { site } = await deps.sites.get(siteId);
  const wanted = { password: newPassword, field: "new_password" };
  const hash = await hashForToken(deps, { siteId, signal }, token, "reset_password", wanted);
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const presented = await lockPresentedToken(tx, siteId, token, "reset_password", now);
    const { user: before, nextVersion } = presented.locked;
    await useToken(tx, siteId, presented, now);
    await updatePassword(tx, siteId, before.id, hash);
    await endAllSessions(tx, siteId, before.id, now);
    await forgiveGuesses(tx, siteId, before.id);
    const after: User = {
      ...before,
      version: nextVersion,
      emailVerified: true,
      passwordChangeTime: now,
      updateTime: now,
    };
    const further = before.emailVerified ? [] : (["user_email_verified"] as const);
    const user = await saveUser(deps, tx, before, after, ["user_password_changed", ...further]);
    await addMailJob(tx, { mail: "password_changed", siteId, userId: user.id });
    const act = { kind: "user.password_reset", subjectId: user.id, clientIp: client.ip };
    await recordAct(tx, siteId, caller, act, now);
    return { user, redirectUrl: presented.token.redirectUrl || site.frontendUrl };
  });
}
