import type { UserCaller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { Session } from "../model/session.ts";
import type { Site } from "../model/site.ts";
import type { User } from "../model/user.ts";
import { deleteRefreshTokens } from "../store/refresh-tokens.ts";
import { lockLiveSession } from "../store/sessions.ts";
import type { Queryable } from "../store/sql.ts";
import type { Deps } from "./deps.ts";
import type { KnownSite } from "./known-sites.ts";
import { mintRefreshToken, type RefreshToken } from "./refresh-tokens.ts";
import { endOtherSessions } from "./sessions.ts";
import { type AccessToken, mintAccessToken } from "./tokens.ts";

/** A Session that goes on with other tokens. */
export interface RenewedSession {
  readonly session: Session;
  readonly accessToken: AccessToken;
  readonly refreshToken: RefreshToken;
}

/**
 * Finds the calling User's own Session and requires that its login, or the last proof by
 * Reauthenticate, is recent. The Session stays locked until the transaction ends.
 *
 * @throws {Failure} `credential_invalid` if it has ended; `recent_login_required`.
 */
export async function requireRecentLogin(
  tx: Queryable,
  { lifetimes }: Site,
  caller: UserCaller,
  now: Date,
): Promise<Session> {
  const session = await lockLiveSession(tx, caller.siteId, caller.sessionId, now);
  if (!session) throw new Failure("credential_invalid");
  const ageMs = now.getTime() - session.authTime.getTime();
  if (ageMs > lifetimes.recentLoginSeconds * 1_000) throw new Failure("recent_login_required");
  return session;
}

/**
 * Ends the User's other Sessions, voids every token there is, and goes on with the one Session
 * by new tokens. The caller has locked the User and the Session.
 */
export async function renewSession(
  deps: Deps,
  tx: Queryable,
  known: KnownSite,
  session: Session,
  user: User,
  now: Date,
): Promise<RenewedSession> {
  const { siteId, userId, id } = session;
  const generation = await endOtherSessions(tx, siteId, userId, id, now);
  await deleteRefreshTokens(tx, siteId, id);
  const refreshToken = await mintRefreshToken(tx, session, now);
  return {
    session,
    accessToken: mintAccessToken(deps, known, session, user, generation),
    refreshToken,
  };
}
