import type { Caller, UserCaller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId, UserId } from "../model/id.ts";
import type { Secret } from "../model/secret.ts";
import type { User } from "../model/user.ts";
import { addMailJob } from "../store/mail-jobs.ts";
import { deleteSecondFactor } from "../store/second-factors.ts";
import type { Queryable } from "../store/sql.ts";
import { type LockedUser, lockUser } from "../store/users.ts";
import { checkRank } from "./admins.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { type RenewedSession, renewSession, requireRecentLogin } from "./renewed-session.ts";
import { renewRecoveryCodes } from "./second-factor.ts";
import { endAllSessions } from "./sessions.ts";
import { lockSubject } from "./users.ts";
import { saveUser, write } from "./write.ts";

/**
 * Removes the second factor of the calling User, whose Session goes on with new tokens while all
 * others end.
 *
 * @throws {Failure} `recent_login_required`, `mfa_not_enrolled`; `mfa_policy` where the Site
 *   requires one.
 */
export async function disableTotp(
  deps: Deps,
  caller: UserCaller,
): Promise<{ readonly user: User; readonly renewed: RenewedSession }> {
  const { siteId, userId } = caller;
  const known = await deps.sites.get(siteId);
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const locked = await lockUser(tx, siteId, userId);
    const session = await requireRecentLogin(tx, known.site, caller, now);
    if (!locked?.user.mfaEnabled) throw new Failure("mfa_not_enrolled");
    if (known.site.mfaPolicy === "required") throw new Failure("mfa_policy");
    const user = await removeFactor(deps, tx, locked, now);
    const renewed = await renewSession(deps, tx, known, session, user, now);
    await recordAct(tx, siteId, caller, { kind: "user.mfa_disabled", subjectId: userId }, now);
    return { user, renewed };
  });
}

/**
 * Removes the second factor of somebody who lost it, and ends all Sessions. To reset what is not
 * there is no error.
 *
 * @throws {Failure} `user_not_found`, `access_denied`, `credential_invalid`.
 */
export async function resetMfa(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  userId: UserId,
): Promise<User> {
  return await write(deps, siteId, async (tx) => {
    const locked = await lockSubject(tx, siteId, caller, userId);
    checkRank(caller, locked.user);
    if (!locked.user.mfaEnabled) return locked.user;
    const now = deps.clock.now();
    await endAllSessions(tx, siteId, userId, now);
    const user = await removeFactor(deps, tx, locked, now);
    await recordAct(tx, siteId, caller, { kind: "user.mfa_reset", subjectId: userId }, now);
    return user;
  });
}

/**
 * Makes new recovery codes for the calling User; the earlier ones are void.
 *
 * @throws {Failure} `recent_login_required`, `mfa_not_enrolled`.
 */
export async function regenerateRecoveryCodes(
  deps: Deps,
  caller: UserCaller,
): Promise<{ readonly user: User; readonly recoveryCodes: readonly Secret[] }> {
  const { siteId, userId } = caller;
  const { site } = await deps.sites.get(siteId);
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const locked = await lockUser(tx, siteId, userId);
    await requireRecentLogin(tx, site, caller, now);
    if (!locked?.user.mfaEnabled) throw new Failure("mfa_not_enrolled");
    const recoveryCodes = await renewRecoveryCodes(tx, siteId, userId);
    await addMailJob(tx, { mail: "recovery_codes_changed", siteId, userId });
    const act = { kind: "user.recovery_codes_renewed", subjectId: userId };
    await recordAct(tx, siteId, caller, act, now);
    return { user: locked.user, recoveryCodes };
  });
}

async function removeFactor(
  deps: Deps,
  tx: Queryable,
  { user: before, nextVersion: version }: LockedUser,
  now: Date,
): Promise<User> {
  const { siteId, id: userId } = before;
  await deleteSecondFactor(tx, siteId, userId);
  await addMailJob(tx, { mail: "mfa_changed", siteId, userId });
  const after = { ...before, version, mfaEnabled: false, updateTime: now };
  return await saveUser(deps, tx, before, after, ["user_mfa_changed"]);
}
