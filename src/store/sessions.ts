import type { SessionId, SiteId, UserId } from "../model/id.ts";
import type { Session } from "../model/session.ts";
import { enqueue, fragment, hot, indexed, type Queryable, type Reader } from "./sql.ts";

interface SessionRow {
  readonly id: SessionId;
  readonly site_id: SiteId;
  readonly user_id: UserId;
  readonly audiences: string[];
  readonly client_ip: string;
  readonly client_user_agent: string;
  readonly amr: string[];
  readonly auth_time: Date;
  readonly create_time: Date;
  readonly last_refresh_time: Date;
  readonly idle_expire_time: Date;
  readonly absolute_expire_time: Date;
  readonly end_time: Date | null;
}

const COLUMNS = fragment`
  id, site_id, user_id, audiences, client_ip, client_user_agent, amr, auth_time,
  create_time, last_refresh_time, idle_expire_time, absolute_expire_time, end_time`;

/** Inserts the Session that a login starts. */
export async function insertSession(db: Queryable, session: Session): Promise<void> {
  const { client } = session;
  const statement = hot`
    insert into signet.sessions
           (site_id, id, user_id, audiences, client_ip, client_user_agent, amr, auth_time,
            create_time, last_refresh_time, idle_expire_time, absolute_expire_time)
    values (${session.siteId}, ${session.id}, ${session.userId},
            ${session.audiences}, ${client.ip}, ${client.userAgent}, ${session.amr},
            ${session.authTime}, ${session.createTime}, ${session.lastRefreshTime},
            ${session.idleExpireTime}, ${session.absoluteExpireTime})`;
  await enqueue(db, statement);
}

/** Finds a Session, ended or not. */
export async function findSession(
  db: Queryable,
  siteId: SiteId,
  id: SessionId,
): Promise<Session | undefined> {
  const { rows } = await db.query<SessionRow>(hot`
    select ${COLUMNS} from signet.sessions where site_id = ${siteId} and id = ${id}`);
  return rows[0] && toSession(rows[0]);
}

/** Returns a User's Sessions that are alive, the newest first: by id, which holds the time. */
export async function listLiveSessions(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  page: { readonly after: SessionId | undefined; readonly limit: number; readonly now: Date },
): Promise<Session[]> {
  // All of the User's are found before they are put in order, not the Site's gone through for them.
  const { rows } = await db.query<SessionRow>(indexed`
    with alive as materialized (
      select ${COLUMNS} from signet.sessions
       where site_id = ${siteId} and user_id = ${userId} and end_time is null
         and idle_expire_time > ${page.now})
    select ${COLUMNS} from alive
     where ${page.after ?? null}::uuid is null or id < ${page.after ?? null}
     order by id desc
     limit ${page.limit}`);
  return rows.map(toSession);
}

/**
 * Extends the Session of a refresh token, used or not, and locks its row: whatever ends the Session
 * takes the same lock, so that nothing is minted after it returns.
 *
 * Returns undefined if there is none, or it has ended or expired.
 */
export async function extendSession(
  db: Queryable,
  siteId: SiteId,
  tokenHash: Buffer,
  { now, idleSeconds }: { readonly now: Date; readonly idleSeconds: number },
): Promise<Session | undefined> {
  const { rows } = await db.query<SessionRow>(hot`
    update signet.sessions
       set last_refresh_time = ${now},
           idle_expire_time = least(absolute_expire_time,
                                    ${now}::timestamptz + make_interval(secs => ${idleSeconds}))
     where site_id = ${siteId} and end_time is null and idle_expire_time > ${now}
       and id = (select session_id from signet.refresh_tokens
                  where site_id = ${siteId} and token_hash = ${tokenHash})
    returning ${COLUMNS}`);
  return rows[0] && toSession(rows[0]);
}

/**
 * Finds a Session that is alive, and locks its row until the transaction ends, so that nothing
 * is minted after it was ended.
 */
export async function lockLiveSession(
  db: Queryable,
  siteId: SiteId,
  id: SessionId,
  now: Date,
): Promise<Session | undefined> {
  const { rows } = await db.query<SessionRow>(hot`
    select ${COLUMNS} from signet.sessions
     where site_id = ${siteId} and id = ${id} and end_time is null
       and idle_expire_time > ${now} and absolute_expire_time > ${now}
       for update`);
  return rows[0] && toSession(rows[0]);
}

/** Notes how and when a User has proved once more who they are. */
export async function updateSessionProof(
  db: Queryable,
  siteId: SiteId,
  id: SessionId,
  { authTime, amr }: Pick<Session, "authTime" | "amr">,
): Promise<Session> {
  const { rows } = await db.query<SessionRow>(hot`
    update signet.sessions set auth_time = ${authTime}, amr = ${amr}
     where site_id = ${siteId} and id = ${id}
    returning ${COLUMNS}`);
  if (!rows[0]) throw new Error("a Session vanished from its own transaction");
  return toSession(rows[0]);
}

/** Ends a Session. Returns whose it was; undefined if there is none that is alive. */
export async function endSession(
  db: Queryable,
  siteId: SiteId,
  id: SessionId,
  now: Date,
): Promise<UserId | undefined> {
  const { rows } = await db.query<{ user_id: UserId }>(hot`
    update signet.sessions set end_time = ${now}
     where site_id = ${siteId} and id = ${id} and end_time is null
    returning user_id`);
  return rows[0]?.user_id;
}

/** Ends all Sessions of a User, or all but one; returns how many were alive. */
export async function endSessionsOfUser(
  db: Queryable,
  siteId: SiteId,
  userId: UserId,
  now: Date,
  kept?: SessionId,
): Promise<number> {
  const { rowCount } = await db.query(indexed`
    update signet.sessions set end_time = ${now}
     where site_id = ${siteId} and user_id = ${userId} and end_time is null
       and id is distinct from ${kept ?? null}::uuid`);
  return rowCount ?? 0;
}

/** Tells whether a Session is alive and its User's generation is the token's. */
export async function isSessionAlive(
  db: Reader,
  siteId: SiteId,
  id: SessionId,
  generation: number,
  now: Date,
): Promise<boolean> {
  const { rows } = await db.query(hot`
    select from signet.sessions s
      join signet.credentials c on c.site_id = s.site_id and c.user_id = s.user_id
     where s.site_id = ${siteId} and s.id = ${id} and s.end_time is null
       and s.absolute_expire_time > ${now} and c.generation = ${generation}`);
  return rows.length === 1;
}

function toSession(row: SessionRow): Session {
  return {
    id: row.id,
    siteId: row.site_id,
    userId: row.user_id,
    audiences: row.audiences,
    client: { ip: row.client_ip, userAgent: row.client_user_agent },
    amr: row.amr,
    authTime: row.auth_time,
    createTime: row.create_time,
    lastRefreshTime: row.last_refresh_time,
    idleExpireTime: row.idle_expire_time,
    absoluteExpireTime: row.absolute_expire_time,
    endTime: row.end_time ?? undefined,
  };
}
