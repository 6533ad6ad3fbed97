import { readSiteSecret } from "../crypto/site-secret.ts";
import type { Caller } from "../model/caller.ts";
import { invalidField } from "../model/failure.ts";
import type { SessionId, SiteId, UserId } from "../model/id.ts";
import { raiseGeneration } from "../store/credentials.ts";
import { deletePendingEmailChange } from "../store/email-changes.ts";
import { deleteOneTimeTokens } from "../store/one-time-tokens.ts";
import { findSessionOfRefreshToken } from "../store/refresh-tokens.ts";
import { insertRevocation } from "../store/revocations.ts";
import { endSession, endSessionsOfUser, findSession } from "../store/sessions.ts";
import type { Queryable } from "../store/sql.ts";
import { findUser } from "../store/users.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { REVOCATION_MS } from "./revocation-lifetime.ts";
import { write } from "./write.ts";

/** Whose Session was ended; absent where there was none. */
export interface LoggedOut {
  readonly userId: UserId;
  readonly version: number;
}

/**
 * Ends the Session of a refresh token or, without one, of the calling User. To end what has
 * ended is no error.
 *
 * @throws {Failure} `invalid_field` if neither is given.
 */
export async function logout(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  refreshToken: string,
): Promise<LoggedOut | undefined> {
  if (refreshToken === "" && caller.kind !== "user") {
    throw invalidField("refresh_token", "is required");
  }
  return await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const sessionId = await sessionOf(tx, caller, siteId, refreshToken);
    const session = sessionId && (await findSession(tx, siteId, sessionId));
    if (!session || isAnothers(caller, session.userId)) return undefined;
    if (await endSessionNow(tx, siteId, session.id, now)) {
      const details = { session_id: session.id };
      const act = { kind: "session.ended", subjectId: session.userId, details };
      await recordAct(tx, siteId, caller, act, now);
    }
    const user = await findUser(tx, siteId, { by: "id", id: session.userId });
    return user && { userId: user.id, version: user.version };
  });
}

/** Ends a Session and tells every process; returns false if it had ended. */
export async function endSessionNow(
  tx: Queryable,
  siteId: SiteId,
  sessionId: SessionId,
  now: Date,
): Promise<boolean> {
  const userId = await endSession(tx, siteId, sessionId, now);
  if (!userId) return false;
  const expireTime = new Date(now.getTime() + REVOCATION_MS);
  const notice = { kind: "session_ended", subjectId: sessionId, userId, expireTime } as const;
  await insertRevocation(tx, siteId, notice, now);
  return true;
}

/**
 * Voids all access tokens of a User; its Sessions go on at their next refresh. Returns the
 * generation that is good from now on.
 */
export async function voidAccessTokens(
  tx: Queryable,
  siteId: SiteId,
  userId: UserId,
  now: Date,
): Promise<number> {
  const generation = await raiseGeneration(tx, siteId, userId);
  const expireTime = new Date(now.getTime() + REVOCATION_MS);
  const notice = { kind: "generation_raised", subjectId: userId, generation, expireTime } as const;
  await insertRevocation(tx, siteId, notice, now);
  return generation;
}

/**
 * Ends all Sessions of a User but one and voids every access token, that one's too, and a change
 * of address that waits. Returns the generation that is good from now on.
 */
export async function endOtherSessions(
  tx: Queryable,
  siteId: SiteId,
  userId: UserId,
  kept: SessionId,
  now: Date,
): Promise<number> {
  const generation = await voidAccessTokens(tx, siteId, userId, now);
  await endSessionsOfUser(tx, siteId, userId, now, kept);
  await forgetEmailChange(tx, siteId, userId);
  return generation;
}

/**
 * Ends all Sessions of a User and voids its access tokens and a change of address that waits;
 * returns how many were alive, and the generation that is good from now on.
 */
export async function endAllSessions(
  tx: Queryable,
  siteId: SiteId,
  userId: UserId,
  now: Date,
): Promise<{ readonly ended: number; readonly generation: number }> {
  const generation = await voidAccessTokens(tx, siteId, userId, now);
  const ended = await endSessionsOfUser(tx, siteId, userId, now);
  await forgetEmailChange(tx, siteId, userId);
  return { ended, generation };
}

/**
 * Voids a change of address that waits for its confirmation. Whoever has asked for it may have been
 * a thief in a Session that ends, and would take the account over by a link that came later.
 */
export async function forgetEmailChange(
  tx: Queryable,
  siteId: SiteId,
  userId: UserId,
): Promise<void> {
  // In the order in which a confirmation locks them: not every caller has locked the User.
  await deleteOneTimeTokens(tx, siteId, userId, "change_email");
  await deletePendingEmailChange(tx, siteId, userId);
}

/** A refresh token that a User presents must be its own. */
function isAnothers(caller: Caller, userId: UserId): boolean {
  return caller.kind === "user" && caller.userId !== userId;
}

/** The calling User's own Session, unless a refresh token names one. */
async function sessionOf(
  tx: Queryable,
  caller: Caller,
  siteId: SiteId,
  refreshToken: string,
): Promise<SessionId | undefined> {
  if (refreshToken === "") return caller.kind === "user" ? caller.sessionId : undefined;
  const presented = readSiteSecret("refresh_token", refreshToken);
  if (presented?.siteId !== siteId) return undefined;
  return await findSessionOfRefreshToken(tx, siteId, presented.hash);
}
