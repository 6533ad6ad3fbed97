import type { Caller, Client } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import { newId, type SessionId, type SiteId } from "../model/id.ts";
import type { Secret } from "../model/secret.ts";
import type { Session } from "../model/session.ts";
import type { Site } from "../model/site.ts";
import type { User, UserRef } from "../model/user.ts";
import {
  type Credentials,
  findCredentials,
  recordLogin,
  updatePassword,
} from "../store/credentials.ts";
import { insertSession } from "../store/sessions.ts";
import { findUser } from "../store/users.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { mintRefreshToken, type RefreshToken } from "./refresh-tokens.ts";
import { type AccessToken, audiencesOf, mintAccessToken } from "./tokens.ts";
import { write } from "./write.ts";

/** What a User brings to sign in. */
export interface LoginAttempt {
  readonly identifier: Extract<UserRef, { readonly by: "email" | "username" }>;
  readonly password: Secret;
  /** Whom the tokens are for; none: the Site's default. */
  readonly audiences: readonly string[];
  readonly client: Client;
  readonly signal: AbortSignal;
}

/** A Session that has begun, with its first tokens. */
export interface StartedSession {
  readonly session: Session;
  readonly user: User;
  readonly accessToken: AccessToken;
  readonly refreshToken: RefreshToken;
}

/**
 * Signs a User in with a password.
 *
 * An unknown name, a wrong password and an account that may not sign in are refused alike, and
 * after the same work.
 *
 * @throws {Failure} `login_failed`; `email_unverified`, for the right password alone;
 *   `overloaded`.
 */
export async function login(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  attempt: LoginAttempt,
): Promise<StartedSession> {
  const known = await deps.sites.get(siteId);
  const { user, credentials } = await findAccount(deps, siteId, attempt.identifier);
  const { password, signal } = attempt;
  const right = await deps.hasher.verify({ siteId, signal }, password, credentials?.password);
  if (!right || !user || !credentials || user.state !== "active") throw new Failure("login_failed");
  if (!user.emailVerified) throw new Failure("email_unverified");

  const stored = credentials.password;
  const outdated = stored !== undefined && deps.hasher.needsRehash(stored);
  const rehashed = outdated ? await deps.hasher.hash({ siteId, signal }, password) : undefined;
  const now = deps.clock.now();
  const session = newSession(
    known.site,
    user,
    audiencesOf(deps, known, attempt.audiences),
    attempt.client,
    now,
  );
  const refreshToken = await write(deps, siteId, async (tx) => {
    // Whatever voids Sessions raises the generation under this row lock.
    if (!(await recordLogin(tx, siteId, user.id, credentials.generation, now))) {
      throw new Failure("login_failed");
    }
    if (rehashed) await updatePassword(tx, siteId, user.id, rehashed);
    await insertSession(tx, session);
    const details = { session_id: session.id };
    const act = {
      kind: "session.started",
      subjectId: user.id,
      details,
      clientIp: session.client.ip,
    };
    await recordAct(tx, siteId, caller, act, now);
    return await mintRefreshToken(tx, session, now);
  });
  const accessToken = mintAccessToken(deps, known, session, user, credentials.generation);
  return { session, user, accessToken, refreshToken };
}

async function findAccount(
  deps: Deps,
  siteId: SiteId,
  identifier: UserRef,
): Promise<{ readonly user: User | undefined; readonly credentials: Credentials | undefined }> {
  return await deps.db.inSite(
    siteId,
    async (tx) => {
      const user = await findUser(tx, siteId, identifier);
      return { user, credentials: user && (await findCredentials(tx, siteId, user.id)) };
    },
    { readOnly: true },
  );
}

function newSession(
  site: Site,
  user: User,
  audiences: readonly string[],
  client: Client,
  now: Date,
): Session {
  const { sessionIdleSeconds, sessionAbsoluteSeconds } = site.lifetimes;
  const absoluteExpireTime = new Date(now.getTime() + sessionAbsoluteSeconds * 1_000);
  const idleMs = now.getTime() + sessionIdleSeconds * 1_000;
  return {
    id: newId<SessionId>(now),
    siteId: site.id,
    userId: user.id,
    audiences,
    client,
    amr: ["pwd"],
    authTime: now,
    createTime: now,
    lastRefreshTime: now,
    idleExpireTime: new Date(Math.min(idleMs, absoluteExpireTime.getTime())),
    absoluteExpireTime,
    endTime: undefined,
  };
}
