import type { Client } from "../model/caller.ts";
import type { ApiKeyId, SiteId, UserId } from "../model/id.ts";
import { hot, type Queryable, sql } from "./sql.ts";

/** What a login whose password was right still waits for. */
export type LoginStep = "code" | "enrollment" | "peer_code";

/** A login that waits for its second factor. */
export interface LoginChallenge {
  readonly tokenHash: Buffer;
  readonly userId: UserId;
  readonly step: LoginStep;
  /** The User's generation when the password was checked. */
  readonly generation: number;
  readonly audiences: readonly string[];
  readonly client: Client;
  /** The key of the Signet that asks, for `peer_code`; the challenge is good with no other. */
  readonly peerKeyId?: ApiKeyId;
  readonly expireTime: Date;
}

/** Inserts a login that waits. */
export async function insertLoginChallenge(
  db: Queryable,
  siteId: SiteId,
  challenge: LoginChallenge,
  now: Date,
): Promise<void> {
  const { client } = challenge;
  await db.query(sql`
    insert into signet.login_challenges
           (site_id, token_hash, user_id, step, generation, audiences, client_ip,
            client_user_agent, peer_key_id, create_time, expire_time)
    values (${siteId}, ${challenge.tokenHash}, ${challenge.userId}, ${challenge.step},
            ${challenge.generation}, ${challenge.audiences}, ${client.ip}, ${client.userAgent},
            ${challenge.peerKeyId ?? null}, ${now}, ${challenge.expireTime})`);
}

/** Finds a login that waits for this step. */
export async function findLoginChallenge(
  db: Queryable,
  siteId: SiteId,
  tokenHash: Buffer,
  step: LoginStep,
  now: Date,
): Promise<LoginChallenge | undefined> {
  const { rows } = await db.query<
    Omit<LoginChallenge, "client" | "peerKeyId"> & {
      readonly ip: string;
      readonly userAgent: string;
      readonly peerKeyId: ApiKeyId | null;
    }
  >(hot`
    select token_hash as "tokenHash", user_id as "userId", step, generation, audiences,
           client_ip as ip, client_user_agent as "userAgent", peer_key_id as "peerKeyId",
           expire_time as "expireTime"
      from signet.login_challenges
     where site_id = ${siteId} and token_hash = ${tokenHash} and step = ${step}
       and use_time is null and expire_time > ${now}`);
  const [row] = rows;
  if (!row) return undefined;
  const { ip, userAgent, peerKeyId, ...challenge } = row;
  return { ...challenge, client: { ip, userAgent }, ...(peerKeyId && { peerKeyId }) };
}

/** Ends the waiting; of any number of callers at once, one is told true. */
export async function consumeLoginChallenge(
  db: Queryable,
  siteId: SiteId,
  tokenHash: Buffer,
  now: Date,
): Promise<boolean> {
  const { rowCount } = await db.query(hot`
    update signet.login_challenges set use_time = ${now}
     where site_id = ${siteId} and token_hash = ${tokenHash} and use_time is null`);
  return rowCount === 1;
}
