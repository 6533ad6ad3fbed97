import type { SessionId, SiteId } from "../model/id.ts";
import { enqueue, hot, type Queryable } from "./sql.ts";

/** A refresh token that was used: by whom it was followed, for its holder alone. */
export interface UsedRefreshToken {
  readonly sessionId: SessionId;
  /** Whether its use is so recent that the answer may have been lost. */
  readonly inGrace: boolean;
  /** Whether the successor is itself unused, so that the holder may be given it again. */
  readonly successorUnused: boolean;
  readonly successorSealed: Buffer;
}

/** Inserts a refresh token of a Session. */
export async function insertRefreshToken(
  db: Queryable,
  siteId: SiteId,
  sessionId: SessionId,
  tokenHash: Buffer,
  now: Date,
): Promise<void> {
  const statement = hot`
    insert into signet.refresh_tokens (site_id, token_hash, session_id, create_time)
    values (${siteId}, ${tokenHash}, ${sessionId}, ${now})`;
  await enqueue(db, statement);
}

/** What replaces a refresh token. */
export interface Successor {
  readonly tokenHash: Buffer;
  /** The successor's text, sealed with the token that it replaces. */
  readonly sealed: Buffer;
}

/**
 * Uses a refresh token and puts its successor in its place, in one statement: of any number of
 * callers at once, one succeeds. Returns undefined to the others, and for unknown tokens.
 *
 * The Session's row is locked first, as by whatever ends the Session or replaces its tokens: the
 * other way round the two would wait for each other. The time of use is the database's, since
 * the process that compares it with another may have another clock.
 */
export async function rotateRefreshToken(
  db: Queryable,
  siteId: SiteId,
  tokenHash: Buffer,
  successor: Successor,
): Promise<SessionId | undefined> {
  const { rows } = await db.query<{ session_id: SessionId }>(hot`
    with held as (
      select id from signet.sessions
       where site_id = ${siteId}
         and id = (select session_id from signet.refresh_tokens
                    where site_id = ${siteId} and token_hash = ${tokenHash})
         for no key update),
    used as (
      update signet.refresh_tokens t
         set use_time = now(), successor_hash = ${successor.tokenHash},
             successor_sealed = ${successor.sealed}
        from held
       where t.site_id = ${siteId} and t.token_hash = ${tokenHash} and t.use_time is null
         and t.session_id = held.id
      returning t.session_id)
    insert into signet.refresh_tokens (site_id, token_hash, session_id, create_time)
    select ${siteId}, ${successor.tokenHash}, session_id, now() from used
    returning session_id`);
  return rows[0]?.session_id;
}

/**
 * Finds a refresh token that was used before. The Session's row is locked first, and looked at
 * afterwards: what voids the tokens of a Session that goes on takes the same lock, and a token
 * that was found before would be answered with one of the new generation.
 *
 * `graceMs` is how long after its use it counts as in grace, by the database's clock.
 */
export async function findUsedRefreshToken(
  db: Queryable,
  siteId: SiteId,
  tokenHash: Buffer,
  graceMs: number,
): Promise<UsedRefreshToken | undefined> {
  const statement = hot`
    select from signet.sessions
     where site_id = ${siteId}
       and id = (select session_id from signet.refresh_tokens
                  where site_id = ${siteId} and token_hash = ${tokenHash})
       for no key update`;
  await enqueue(db, statement);
  const { rows } = await db.query<{
    session_id: SessionId;
    in_grace: boolean;
    successor_unused: boolean;
    successor_sealed: Buffer;
  }>(hot`
    select t.session_id, t.successor_sealed, n.use_time is null as successor_unused,
           t.use_time >= now() - ${graceMs} * interval '1 millisecond' as in_grace
      from signet.refresh_tokens t
      join signet.refresh_tokens n on n.site_id = t.site_id and n.token_hash = t.successor_hash
     where t.site_id = ${siteId} and t.token_hash = ${tokenHash}`);
  const [row] = rows;
  return (
    row && {
      sessionId: row.session_id,
      inGrace: row.in_grace,
      successorUnused: row.successor_unused,
      successorSealed: row.successor_sealed,
    }
  );
}

/** Finds the Session of a refresh token, used or not. */
export async function findSessionOfRefreshToken(
  db: Queryable,
  siteId: SiteId,
  tokenHash: Buffer,
): Promise<SessionId | undefined> {
  const { rows } = await db.query<{ session_id: SessionId }>(hot`
    select session_id from signet.refresh_tokens
     where site_id = ${siteId} and token_hash = ${tokenHash}`);
  return rows[0]?.session_id;
}

/** Removes the refresh tokens of a Session, used and unused: none of them is known afterwards. */
export async function deleteRefreshTokens(
  db: Queryable,
  siteId: SiteId,
  sessionId: SessionId,
): Promise<void> {
  const statement = hot`
    delete from signet.refresh_tokens where site_id = ${siteId} and session_id = ${sessionId}`;
  await enqueue(db, statement);
}
