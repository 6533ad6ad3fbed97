import type { Caller, Client } from "../model/caller.ts";
import type { EmailAddress } from "../model/email-address.ts";
import { Failure, invalidField } from "../model/failure.ts";
import { type EmailChangeId, newId, type SiteId, type UserId } from "../model/id.ts";
import type { Site } from "../model/site.ts";
import type { User } from "../model/user.ts";
import {
  confirmEmailChange as confirmStored,
  deletePendingEmailChange,
  findPendingEmailChange,
  insertEmailChange,
} from "../store/email-changes.ts";
import { addMailJob } from "../store/mail-jobs.ts";
import { deleteOneTimeTokens } from "../store/one-time-tokens.ts";
import type { Queryable } from "../store/sql.ts";
import { findUser, lockUser } from "../store/users.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import {
  lockPresentedToken,
  type MintedOneTimeToken,
  mintOneTimeToken,
  useToken,
} from "./one-time.ts";
import { requireRecentLogin } from "./renewed-session.ts";
import { saveUser, write } from "./write.ts";

/** What is asked for. */
export interface EmailChangeRequest {
  readonly userId: UserId;
  readonly newEmail: EmailAddress;
  readonly redirectUrl: string;
  /** Whether the caller sends the mail itself, and so gets the token. */
  readonly returnToken: boolean;
  readonly client: Client;
}

/**
 * Asks the new address for confirmation; until then the User keeps the present one. A newer
 * request voids the older. The answer does not tell whether the new address has an account.
 *
 * @throws {Failure} `user_not_found`, `user_not_active`, `recent_login_required`,
 *   `access_denied` for a User that names another, `invalid_field`.
 */
export async function requestEmailChange(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  request: EmailChangeRequest,
): Promise<MintedOneTimeToken | undefined> {
  const { site } = await deps.sites.get(siteId);
  const { userId, newEmail, client } = request;
  if (caller.kind === "user" && caller.userId !== userId) throw new Failure("access_denied");
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const locked = await lockUser(tx, siteId, userId);
    if (!locked || locked.user.state === "deleted") throw new Failure("user_not_found");
    if (locked.user.state !== "active") throw new Failure("user_not_active");
    if (caller.kind === "user") await requireRecentLogin(tx, site, caller, now);
    if (locked.user.email === newEmail) throw invalidField("new_email", "is the present address");
    await deletePendingEmailChange(tx, siteId, userId);
    await deleteOneTimeTokens(tx, siteId, userId, "change_email");
    const act = { kind: "user.email_change_requested", subjectId: userId, clientIp: client.ip };
    await recordAct(tx, siteId, caller, act, now);
    const owner = await findUser(tx, siteId, { by: "email", email: newEmail });
    if (!owner) return await askNewAddress(tx, site, locked.user, request, now);
    if (!request.returnToken) {
      await addMailJob(tx, { mail: "email_change_taken", siteId, userId: owner.id });
    }
    return undefined;
  });
}

async function askNewAddress(
  tx: Queryable,
  site: Site,
  user: User,
  { newEmail, redirectUrl, returnToken }: EmailChangeRequest,
  now: Date,
): Promise<MintedOneTimeToken | undefined> {
  const id = newId<EmailChangeId>(now);
  const change = { id, userId: user.id, oldEmail: user.email, newEmail, redirectUrl };
  await insertEmailChange(tx, site.id, change, now);
  if (returnToken) {
    const grant = { purpose: "change_email", userId: user.id, email: newEmail, redirectUrl };
    return await mintOneTimeToken(tx, site, { ...grant, purpose: "change_email" }, now);
  }
  const job = { mail: "change_email", siteId: site.id, userId: user.id, emailChangeId: id };
  await addMailJob(tx, { ...job, mail: "change_email" });
  return undefined;
}

/**
 * Does what belongs to another address that an administrator has set: tells the old one, and voids
 * what was sent to it or asked for there.
 */
export async function replaceEmail(
  tx: Queryable,
  { siteId, id: userId, email: oldEmail }: User,
  newEmail: EmailAddress | undefined,
  now: Date,
): Promise<void> {
  await deletePendingEmailChange(tx, siteId, userId);
  await deleteOneTimeTokens(tx, siteId, userId);
  if (!oldEmail || !newEmail) return;
  const id = newId<EmailChangeId>(now);
  await insertEmailChange(tx, siteId, { id, userId, oldEmail, newEmail, redirectUrl: "" }, now);
  await confirmStored(tx, siteId, id, now);
  await addMailJob(tx, { mail: "email_changed", siteId, userId, emailChangeId: id });
}

/**
 * Changes the address with the token of the mail to the new one, and tells the old one.
 *
 * @throws {Failure} `one_time_token_invalid`; `email_taken`, which leaves the token good.
 */
export async function confirmEmailChange(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  { token, client }: { readonly token: string; readonly client: Client },
): Promise<{ readonly user: User; readonly redirectUrl: string }> {
  const { site } = await deps.sites.get(siteId);
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const presented = await lockPresentedToken(tx, siteId, token, "change_email", now);
    const { user: before, nextVersion: version } = presented.locked;
    const { email } = presented.token;
    const change = await findPendingEmailChange(tx, siteId, before.id);
    if (change?.newEmail !== email) throw new Failure("one_time_token_invalid");
    await useToken(tx, siteId, presented, now);
    await deleteOneTimeTokens(tx, siteId, before.id); // Those for the old address prove nothing.
    await confirmStored(tx, siteId, change.id, now);
    const after = { ...before, version, email, emailVerified: true, updateTime: now };
    const user = await saveUser(deps, tx, before, after, ["user_email_changed"]);
    if (before.email) {
      const job = { siteId, userId: user.id, emailChangeId: change.id };
      await addMailJob(tx, { mail: "email_changed", ...job });
    }
    const act = { kind: "user.email_changed", subjectId: user.id, clientIp: client.ip };
    await recordAct(tx, siteId, caller, act, now);
    return { user, redirectUrl: presented.token.redirectUrl || site.frontendUrl };
  });
}
