import type { Caller } from "../model/caller.ts";
import type { SiteId, UserId } from "../model/id.ts";
import type { User } from "../model/user.ts";
import { setDisabledFrom, takeDisabledFrom } from "../store/credentials.ts";
import { deleteOneTimeTokens } from "../store/one-time-tokens.ts";
import { checkRank, keepAdmin } from "./admins.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { forgiveGuesses } from "./guesses.ts";
import { endAllSessions } from "./sessions.ts";
import { lockSubject } from "./users.ts";
import { saveUser, write } from "./write.ts";

/**
 * Keeps a User from signing in: Sessions end, tokens of every kind are void. To disable twice is
 * no error.
 *
 * @throws {Failure} `user_not_found`, `last_admin`, `access_denied`, `credential_invalid`.
 */
export async function disableUser(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  id: UserId,
): Promise<User> {
  return await write(deps, siteId, async (tx) => {
    const { user: before, nextVersion: version } = await lockSubject(tx, siteId, caller, id);
    checkRank(caller, before);
    if (before.state === "disabled") return before;
    const now = deps.clock.now();
    await keepAdmin(tx, before, undefined);
    await endAllSessions(tx, siteId, id, now);
    await deleteOneTimeTokens(tx, siteId, id);
    await setDisabledFrom(tx, siteId, id, before.state);
    const after = { ...before, version, state: "disabled", updateTime: now } as const;
    await recordAct(tx, siteId, caller, { kind: "user.disabled", subjectId: id }, now);
    return await saveUser(deps, tx, before, after, ["user_disabled"]);
  });
}

/**
 * Gives a disabled User the state that it had before; its Sessions stay ended. To enable twice
 * is no error.
 *
 * @throws {Failure} `user_not_found`, `access_denied`, `credential_invalid`.
 */
export async function enableUser(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  id: UserId,
): Promise<User> {
  return await write(deps, siteId, async (tx) => {
    const { user: before, nextVersion: version } = await lockSubject(tx, siteId, caller, id);
    checkRank(caller, before);
    if (before.state !== "disabled") return before;
    const now = deps.clock.now();
    const state = (await takeDisabledFrom(tx, siteId, id)) ?? "active";
    const after = { ...before, version, state, updateTime: now };
    await recordAct(tx, siteId, caller, { kind: "user.enabled", subjectId: id }, now);
    return await saveUser(deps, tx, before, after, ["user_enabled"]);
  });
}

/**
 * Forgets the guesses at an account, and lifts its lock.
 *
 * @throws {Failure} `user_not_found`, `access_denied`, `credential_invalid`.
 */
export async function unlockUser(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  id: UserId,
): Promise<User> {
  return await write(deps, siteId, async (tx) => {
    const { user } = await lockSubject(tx, siteId, caller, id);
    checkRank(caller, user);
    await forgiveGuesses(tx, siteId, id);
    const act = { kind: "user.unlocked", subjectId: id };
    await recordAct(tx, siteId, caller, act, deps.clock.now());
    return user;
  });
}
