import type { Caller, Client } from "../model/caller.ts";
import type { EmailAddress } from "../model/email-address.ts";
import { Failure } from "../model/failure.ts";
import { newId, type SiteId, type UserId } from "../model/id.ts";
import type { Secret } from "../model/secret.ts";
import type { Site } from "../model/site.ts";
import { newUser, type User } from "../model/user.ts";
import { insertCredentials, updatePassword } from "../store/credentials.ts";
import { addMailJob } from "../store/mail-jobs.ts";
import { deleteOneTimeTokens } from "../store/one-time-tokens.ts";
import type { Queryable } from "../store/sql.ts";
import { findUser, firstVersion, lockUser } from "../store/users.ts";
import { checkEscalation, checkRank, requireAdminNow } from "./admins.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import {
  hashForToken,
  lockPresentedToken,
  type MintedOneTimeToken,
  mintOneTimeToken,
  useToken,
} from "./one-time.ts";
import { changesBetween } from "./user-changes.ts";
import { orRepeated, type UserFields } from "./users.ts";
import { saveNewUser, saveUser, write } from "./write.ts";

/** Whom to invite. */
export interface Invitation {
  readonly id: UserId | undefined;
  readonly email: EmailAddress;
  /** Fields that are absent stay as they are when the person is invited already. */
  readonly fields: UserFields;
  readonly redirectUrl: string;
  /** Whether the caller sends the mail itself, and so gets the token. */
  readonly returnToken: boolean;
}

/** The invited User; the token where it was asked for. */
export interface Invited {
  readonly user: User;
  readonly token: MintedOneTimeToken | undefined;
}

/**
 * Invites a person: makes a User who has yet to set a password, and sends the link for that.
 * Whoever is invited already gets a new link, and the older one is void.
 *
 * @throws {Failure} `email_taken`, `username_taken`, `external_id_taken`, `id_taken`,
 *   `access_denied`, `credential_invalid`.
 */
export async function inviteUser(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  invitation: Invitation,
): Promise<Invited> {
  const { site } = await deps.sites.get(siteId);
  const repeats = ["id_taken", "email_taken"] as const;
  return await orRepeated(repeats, () => inviteOnce(deps, caller, site, invitation));
}

async function inviteOnce(
  deps: Deps,
  caller: Caller,
  site: Site,
  invitation: Invitation,
): Promise<Invited> {
  const { id, email } = invitation;
  return await write(deps, site.id, async (tx) => {
    await requireAdminNow(tx, site.id, caller);
    const repeated = id && (await findUser(tx, site.id, { by: "id", id }));
    if (repeated) {
      if (repeated.email !== email) throw new Failure("id_taken");
      return { user: repeated, token: undefined };
    }
    const now = deps.clock.now();
    const known = await findUser(tx, site.id, { by: "email", email });
    // A repeat of this call may have come in between the two looks.
    if (known && known.id === id) return { user: known, token: undefined };
    const user = known
      ? await inviteAgain(deps, tx, caller, known, invitation, now)
      : await createInvited(deps, tx, caller, site.id, invitation, now);
    await recordAct(tx, site.id, caller, { kind: "user.invited", subjectId: user.id }, now);
    return { user, token: await sendInvitation(tx, site, user.id, invitation, now) };
  });
}

async function createInvited(
  deps: Deps,
  tx: Queryable,
  caller: Caller,
  siteId: SiteId,
  { id, email, fields }: Invitation,
  now: Date,
): Promise<User> {
  checkEscalation(caller, fields, undefined);
  const user = newUser({
    ...fields,
    id: id ?? newId<UserId>(now),
    siteId,
    version: await firstVersion(tx, siteId),
    email,
    state: "invited",
    createTime: now,
  });
  await saveNewUser(deps, tx, user);
  await insertCredentials(tx, siteId, user.id, undefined);
  return user;
}

async function inviteAgain(
  deps: Deps,
  tx: Queryable,
  caller: Caller,
  { id, siteId }: User,
  { fields }: Invitation,
  now: Date,
): Promise<User> {
  const locked = await lockUser(tx, siteId, id);
  if (locked?.user.state !== "invited") throw new Failure("email_taken");
  const before = locked.user;
  checkRank(caller, before);
  checkEscalation(caller, fields, before);
  await deleteOneTimeTokens(tx, siteId, id, "accept_invitation");
  const merged = { ...before, ...fields };
  const [first, ...others] = changesBetween(before, merged);
  if (!first) return before;
  const after = { ...merged, version: locked.nextVersion, updateTime: now };
  return await saveUser(deps, tx, before, after, [first, ...others]);
}

async function sendInvitation(
  tx: Queryable,
  site: Site,
  userId: UserId,
  { email, redirectUrl, returnToken }: Invitation,
  now: Date,
): Promise<MintedOneTimeToken | undefined> {
  if (returnToken) {
    const grant = { purpose: "accept_invitation", userId, email, redirectUrl } as const;
    return await mintOneTimeToken(tx, site, grant, now);
  }
  await addMailJob(tx, { mail: "accept_invitation", siteId: site.id, userId, redirectUrl });
  return undefined;
}

/** What an invited person brings. */
export interface Acceptance {
  readonly token: string;
  readonly password: Secret;
  /** What replaces the words of the invitation. */
  readonly fields: Partial<Pick<User, "username" | "displayName" | "locale">>;
  readonly client: Client;
  readonly signal: AbortSignal;
}

/**
 * Accepts an invitation: the User becomes active, with a password and a verified address.
 *
 * @throws {Failure} `one_time_token_invalid`; `username_taken` and `password_rejected`, which
 *   leave the token good; `overloaded`.
 */
export async function acceptInvitation(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  { token, password, fields, client, signal }: Acceptance,
): Promise<{ readonly user: User; readonly redirectUrl: string }> {
  const { site } = await deps.sites.get(siteId);
  const wanted = { password, field: "password", fields };
  const hash = await hashForToken(deps, { siteId, signal }, token, "accept_invitation", wanted);
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const presented = await lockPresentedToken(tx, siteId, token, "accept_invitation", now);
    const { user: before, nextVersion } = presented.locked;
    await useToken(tx, siteId, presented, now);
    await updatePassword(tx, siteId, before.id, hash);
    const after: User = {
      ...before,
      ...fields,
      version: nextVersion,
      state: "active",
      emailVerified: true,
      passwordChangeTime: now,
      updateTime: now,
    };
    const user = await saveUser(deps, tx, before, after, [
      "user_invitation_accepted",
      "user_password_changed",
      ...changesBetween(before, after),
    ]);
    const act = { kind: "user.invitation_accepted", subjectId: user.id, clientIp: client.ip };
    await recordAct(tx, siteId, caller, act, now);
    return { user, redirectUrl: presented.token.redirectUrl || site.frontendUrl };
  });
}
