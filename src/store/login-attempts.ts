import type { AttemptId, SiteId, UserId } from "../model/id.ts";
import { enqueue, hot, type Queryable } from "./sql.ts";

/** What a secret was asked for. */
export type GuessFlow =
  | "login"
  | "second_factor"
  | "reauthentication"
  | "password_change"
  | "enrollment";

/** A guess at a secret, as it is kept for a while. */
export interface LoginAttempt {
  readonly id: AttemptId;
  /** Absent: nobody has the name. */
  readonly userId: UserId | undefined;
  /** Absent: the account was named by a token. */
  readonly identifierDigest: Buffer | undefined;
  readonly flow: GuessFlow;
  /** `refused`: it was not checked. Until it turns out right, a guess counts as failed. */
  readonly outcome: "failed" | "refused";
  /** An IPv4 address or an IPv6 /64; absent: unknown. */
  readonly source: string | undefined;
}

/** Keeps a guess at a secret. */
export async function insertLoginAttempt(
  db: Queryable,
  siteId: SiteId,
  attempt: LoginAttempt,
  now: Date,
): Promise<void> {
  const { id, userId, identifierDigest, flow, outcome, source } = attempt;
  const statement = hot`
    insert into signet.login_attempts
           (site_id, id, user_id, identifier_digest, flow, outcome, source, create_time)
    values (${siteId}, ${id}, ${userId ?? null}, ${identifierDigest ?? null}, ${flow},
            ${outcome}, ${source ?? null}, ${now})`;
  await enqueue(db, statement);
}

/** Notes that a guess turned out right, or was not checked after all. */
export async function setAttemptOutcome(
  db: Queryable,
  siteId: SiteId,
  id: AttemptId,
  outcome: "refused" | "succeeded",
): Promise<void> {
  const statement = hot`
    update signet.login_attempts set outcome = ${outcome}
     where site_id = ${siteId} and id = ${id}`;
  await enqueue(db, statement);
}
