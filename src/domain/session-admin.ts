import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { SessionId, SiteId, UserId } from "../model/id.ts";
import type { Session } from "../model/session.ts";
import type { User } from "../model/user.ts";
import { findSession, listLiveSessions } from "../store/sessions.ts";
import type { Queryable } from "../store/sql.ts";
import { findUser } from "../store/users.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { endAllSessions, endSessionNow, forgetEmailChange } from "./sessions.ts";
import { write } from "./write.ts";

/** Tells whether the caller may deal with the Sessions of this User. */
function mayManageSessions(caller: Caller, userId: UserId): boolean {
  return caller.kind !== "user" || caller.userId === userId || caller.roles.includes("admin");
}

/**
 * Returns the Sessions of a User that are alive, the newest first.
 *
 * @throws {Failure} `access_denied`, `user_not_found`.
 */
export async function listSessions(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  userId: UserId,
  page: { readonly after: SessionId | undefined; readonly limit: number },
): Promise<Session[]> {
  if (!mayManageSessions(caller, userId)) throw new Failure("access_denied");
  return await deps.db.inSite(
    siteId,
    async (tx) => {
      await requireUser(tx, siteId, userId);
      return await listLiveSessions(tx, siteId, userId, { ...page, now: deps.clock.now() });
    },
    { readOnly: true },
  );
}

/**
 * Ends one Session. To end what has ended is no error.
 *
 * @throws {Failure} `session_not_found`, also where the caller may not end it.
 */
export async function revokeSession(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  id: SessionId,
): Promise<User> {
  return await write(deps, siteId, async (tx) => {
    const session = await findSession(tx, siteId, id);
    const user = session && (await findUser(tx, siteId, { by: "id", id: session.userId }));
    if (!user || user.state === "deleted" || !mayManageSessions(caller, user.id)) {
      throw new Failure("session_not_found");
    }
    const now = deps.clock.now();
    if (await endSessionNow(tx, siteId, id, now)) {
      const details = { session_id: id };
      const act = { kind: "session.revoked", subjectId: user.id, details };
      await recordAct(tx, siteId, caller, act, now);
    }
    return user;
  });
}

/** Whose Sessions were ended, and how many. */
export interface RevokedSessions {
  readonly user: User;
  readonly ended: number;
}

/**
 * Ends all Sessions of a User, or all but one.
 *
 * @throws {Failure} `access_denied`, `user_not_found`.
 */
export async function revokeAllSessions(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  userId: UserId,
  kept: SessionId | undefined,
): Promise<RevokedSessions> {
  if (!mayManageSessions(caller, userId)) throw new Failure("access_denied");
  return await write(deps, siteId, async (tx) => {
    const user = await requireUser(tx, siteId, userId);
    const now = deps.clock.now();
    const ended = kept
      ? await endEachOther(tx, siteId, userId, kept, now)
      : (await endAllSessions(tx, siteId, userId, now)).ended;
    const act = { kind: "session.all_revoked", subjectId: userId, details: { sessions: ended } };
    await recordAct(tx, siteId, caller, act, now);
    return { user, ended };
  });
}

/** Each by itself: a higher generation would void the tokens of the one that goes on, too. */
async function endEachOther(
  tx: Queryable,
  siteId: SiteId,
  userId: UserId,
  kept: SessionId,
  now: Date,
): Promise<number> {
  let ended = 0;
  const page = { after: undefined, limit: Number.MAX_SAFE_INTEGER, now };
  for (const { id } of await listLiveSessions(tx, siteId, userId, page)) {
    if (id !== kept && (await endSessionNow(tx, siteId, id, now))) ended += 1;
  }
  await forgetEmailChange(tx, siteId, userId);
  return ended;
}

async function requireUser(tx: Queryable, siteId: SiteId, id: UserId): Promise<User> {
  const user = await findUser(tx, siteId, { by: "id", id });
  if (!user || user.state === "deleted") throw new Failure("user_not_found");
  return user;
}
