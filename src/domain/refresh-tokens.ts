import { boxWithSecret, openWithSecret } from "../crypto/secret-box.ts";
import { mintSiteSecret, readSiteSecret } from "../crypto/site-secret.ts";
import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { SessionId, SiteId } from "../model/id.ts";
import { type Secret, secret } from "../model/secret.ts";
import type { Session } from "../model/session.ts";
import type { User } from "../model/user.ts";
import { findAccountOfRefreshToken } from "../store/accounts.ts";
import {
  findUsedRefreshToken,
  insertRefreshToken,
  rotateRefreshToken,
} from "../store/refresh-tokens.ts";
import { extendSession } from "../store/sessions.ts";
import type { Queryable } from "../store/sql.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import { endSessionNow } from "./sessions.ts";
import { type AccessToken, mintAccessToken } from "./tokens.ts";
import { write } from "./write.ts";

/** A refresh token on its way to its holder. */
export interface RefreshToken {
  readonly text: Secret;
  readonly expireTime: Date;
}

/** The next tokens of a Session. */
export interface RefreshedSession {
  readonly session: Session;
  readonly user: User;
  readonly accessToken: AccessToken;
  readonly refreshToken: RefreshToken;
}

/**
 * How long a used token gives its successor again: an answer may have been lost. Measured by the
 * database's clock, the one that all processes share.
 */
const GRACE_MS = 10_000;

/** Makes the first refresh token of a Session. */
export async function mintRefreshToken(
  tx: Queryable,
  session: Session,
  now: Date,
): Promise<RefreshToken> {
  const minted = mintSiteSecret("refresh_token", session.siteId);
  await insertRefreshToken(tx, session.siteId, session.id, minted.hash, now);
  return { text: minted.text, expireTime: session.idleExpireTime };
}

/**
 * Turns a refresh token into the next pair of its Session.
 *
 * For 10 s the same token gives the same successor again; later, or once the successor was
 * used, it counts as stolen and ends the Session.
 *
 * @throws {Failure} `refresh_token_invalid`
 */
export async function refreshSession(
  deps: Deps,
  caller: Caller,
  siteId: SiteId,
  text: string,
): Promise<RefreshedSession> {
  const presented = readSiteSecret("refresh_token", text);
  if (presented?.siteId !== siteId) throw invalid();
  const known = await deps.sites.get(siteId);
  const outcome = await write(deps, siteId, async (tx) => {
    const now = deps.clock.now();
    const idleSeconds = known.site.lifetimes.sessionIdleSeconds;
    const [next, session, account] = await Promise.all([
      rotate(tx, siteId, secret(text), presented.hash),
      extendSession(tx, siteId, presented.hash, { now, idleSeconds }),
      findAccountOfRefreshToken(tx, siteId, presented.hash),
    ]);
    if (next.stolen) {
      await endSessionNow(tx, siteId, next.sessionId, now);
      const subjectId = account?.user.id;
      const details = { session_id: next.sessionId };
      const act = { kind: "refresh_token.reused", details, ...(subjectId && { subjectId }) };
      await recordAct(tx, siteId, caller, act, now);
      return undefined; // Committed; the refusal follows.
    }
    if (!session || account?.user.state !== "active") throw invalid();
    return { session, account, text: next.successor };
  });
  if (!outcome) throw invalid();
  const { session, account } = outcome;
  const { user, credentials } = account;
  return {
    session,
    user,
    accessToken: mintAccessToken(deps, known, session, user, credentials.generation),
    refreshToken: { text: outcome.text, expireTime: session.idleExpireTime },
  };
}

type Rotation =
  | { readonly stolen: false; readonly successor: Secret }
  | { readonly stolen: true; readonly sessionId: SessionId };

async function rotate(
  tx: Queryable,
  siteId: SiteId,
  presented: Secret,
  tokenHash: Buffer,
): Promise<Rotation> {
  const successor = mintSiteSecret("refresh_token", siteId);
  const sealed = boxWithSecret(presented, boxScope(siteId), Buffer.from(successor.text.reveal()));
  const next = { tokenHash: successor.hash, sealed };
  const rotated = await rotateRefreshToken(tx, siteId, tokenHash, next);
  if (rotated) return { stolen: false, successor: successor.text };

  const used = await findUsedRefreshToken(tx, siteId, tokenHash, GRACE_MS);
  if (!used) throw invalid();
  if (!used.inGrace || !used.successorUnused) return { stolen: true, sessionId: used.sessionId };
  const opened = openWithSecret(presented, boxScope(siteId), used.successorSealed);
  if (!opened) throw new Error("the successor of a refresh token does not open");
  return { stolen: false, successor: secret(opened.toString()) };
}

function boxScope(siteId: SiteId) {
  return { purpose: "refresh_token_successor", context: [siteId] };
}

function invalid(): Failure {
  return new Failure("refresh_token_invalid");
}
