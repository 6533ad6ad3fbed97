import type { Caller, Client } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { newId, type SessionId } from "../model/id.ts";
import type { Session } from "../model/session.ts";
import type { Site } from "../model/site.ts";
import type { User } from "../model/user.ts";
import { recordLogin } from "../store/credentials.ts";
import { addMailJob } from "../store/mail-jobs.ts";
import { insertSession } from "../store/sessions.ts";
import type { Queryable } from "../store/sql.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { isSeenDevice, rememberDevice } from "./known-devices.ts";
import type { KnownSite } from "./known-sites.ts";
import { mintRefreshToken, type RefreshToken } from "./refresh-tokens.ts";
import { type AccessToken, mintAccessToken } from "./tokens.ts";

/** What a login has proved, and for whom its tokens are. */
export interface ProvedLogin {
  readonly user: User;
  /** The User's generation when the proof was made. */
  readonly generation: number;
  readonly audiences: readonly string[];
  readonly client: Client;
  /** How the User proved who they are (RFC 8176). */
  readonly amr: readonly string[];
}

/** A Session that has begun, with its first tokens. */
export interface StartedSession {
  readonly session: Session;
  readonly user: User;
  readonly accessToken: AccessToken;
  readonly refreshToken: RefreshToken;
  /** Marks the device as known from now on. */
  readonly deviceToken: string;
}

/**
 * Starts the Session of a login.
 *
 * @throws {Failure} `login_failed` if the User's generation has risen since the proof: whatever
 *   voids Sessions raises it, under the row lock that is taken here.
 */
export async function startSession(
  deps: Deps,
  tx: Queryable,
  caller: Caller,
  known: KnownSite,
  login: ProvedLogin,
  now: Date,
): Promise<StartedSession> {
  const { user, generation, client } = login;
  const { site } = known;
  const [recorded, isSeen] = await Promise.all([
    recordLogin(tx, site.id, user.id, generation, now),
    isSeenDevice(tx, site.id, user.id, client),
  ]);
  if (!recorded) throw new Failure("login_failed");
  const session = newSession(site, login, now);
  await insertSession(tx, session);
  const deviceToken = await rememberDevice(tx, site.id, user.id, client, now);
  if (!recorded.isFirst && !isSeen) {
    const mail = { mail: "new_device", siteId: site.id, userId: user.id } as const;
    await addMailJob(tx, { ...mail, sessionId: session.id });
  }
  const details = { session_id: session.id, amr: [...session.amr] };
  const act = { kind: "session.started", subjectId: user.id, details };
  await recordAct(tx, site.id, caller, { ...act, clientIp: session.client.ip }, now);
  const refreshToken = await mintRefreshToken(tx, session, now);
  const accessToken = mintAccessToken(deps, known, session, user, generation);
  return { session, user, accessToken, refreshToken, deviceToken };
}

function newSession(
  { id: siteId, lifetimes }: Site,
  { user, audiences, client, amr }: ProvedLogin,
  now: Date,
): Session {
  const { sessionIdleSeconds, sessionAbsoluteSeconds } = lifetimes;
  const absoluteExpireTime = new Date(now.getTime() + sessionAbsoluteSeconds * 1_000);
  const idleMs = now.getTime() + sessionIdleSeconds * 1_000;
  return {
    id: newId<SessionId>(now),
    siteId,
    userId: user.id,
    audiences,
    client,
    amr,
    authTime: now,
    createTime: now,
    lastRefreshTime: now,
    idleExpireTime: new Date(Math.min(idleMs, absoluteExpireTime.getTime())),
    absoluteExpireTime,
    endTime: undefined,
  };
}
