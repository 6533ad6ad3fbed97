import { expect } from "vitest";
import type { TokenPair } from "../../gen/signet/v1/session_pb.ts";
import { refusalOf } from "./builders.ts";
import {
  type AccessToken,
  type Actor,
  isGood,
  type ModelSession,
  type ModelSite,
  type ModelUser,
  type RefreshToken,
  sessionsOf,
  type World,
} from "./model-state.ts";
import {
  clientsAs,
  endSessions,
  expectVersion,
  judge,
  unless,
  voidLinks,
  withCredential,
} from "./model-verdict.ts";

const GRACE_MS = 10_000;
/** What is further in the grace than this may be past it before it arrives. */
const CERTAIN_MS = 2_000;

/**
 * Presents a refresh token, which may be any: the newest goes on, the one before gives the same
 * again for a while, an older one ends the Session.
 */
export async function refresh(
  world: World,
  site: ModelSite,
  session: ModelSession,
  token: RefreshToken,
): Promise<void> {
  const { auth } = clientsAs(world, site, "backend");
  const isHere = sessionsOf(site).includes(session) && !token.isVoid;
  const isLive = isHere && session.alive && session.user.state === "ACTIVE";
  const successor = successorOf(session, token);
  const { usedMs } = token;
  const isStolen = usedMs !== undefined && (!successor || successor.usedMs !== undefined);
  // Whether it is still in its grace could not be told for certain.
  if (isLive && usedMs && !isStolen && performance.now() - usedMs[0] > CERTAIN_MS) return;
  const startMs = performance.now();
  const sentMs = isLive && !isStolen ? usedMs : undefined;
  await judge(
    () => auth.refreshToken({ refreshToken: token.text }).catch(orTooLate(sentMs)),
    unless({ REFRESH_TOKEN_INVALID: !isLive || isStolen }, (told) => {
      if (!told) {
        session.alive = false;
        return;
      }
      expectVersion(session.user, told);
      expect(told.sessionId).toBe(session.id);
      token.usedMs ??= [startMs, performance.now()];
      if (successor) expect(told.tokens?.refreshToken).toBe(successor.text);
      keepTokens(session, told.tokens, { withRefresh: !successor });
    }),
  );
  if (isLive && isStolen) session.alive = false;
}

/** Goes on twice at the two processes, and then presents the one from before: a thief's replay. */
export async function replay(world: World, site: ModelSite, session: ModelSession): Promise<void> {
  const first = session.refreshTokens.at(-1);
  for (let n = 0; n < 2; n += 1) {
    const newest = session.refreshTokens.at(-1);
    if (newest) await refresh(world, site, session, newest);
    world.moves += 1;
  }
  if (first) await refresh(world, site, session, first);
}

/** Ends a Session by any of its refresh tokens. */
export async function logoutByRefreshToken(
  world: World,
  site: ModelSite,
  session: ModelSession,
  token: RefreshToken,
): Promise<void> {
  const { auth } = clientsAs(world, site, "backend");
  const isKnown = sessionsOf(site).includes(session) && !token.isVoid;
  await judge(
    () => auth.logout({ refreshToken: token.text }),
    unless({}, (told) => {
      if (isKnown && session.alive) expectVersion(session.user, told);
      if (!isKnown) expect({ ...told }).toMatchObject({ userId: "", version: 0n });
      if (isKnown) session.alive = false;
    }),
  );
}

/** Ends the Session of an access token, which may be any. */
export async function logoutByAccessToken(
  world: World,
  session: ModelSession,
  token: AccessToken,
): Promise<void> {
  const { auth } = withCredential(world, token.text);
  await judge(
    () => auth.logout({}),
    unless({ CREDENTIAL_INVALID: !isCredential(session, token) }, (told) => {
      session.alive = false;
      expectVersion(session.user, told);
    }),
  );
}

/** Ends a Session by its id. */
export async function revokeSession(
  world: World,
  site: ModelSite,
  actor: Actor,
  session: ModelSession,
): Promise<void> {
  const { auth, siteId } = clientsAs(world, site, actor);
  const isHere = sessionsOf(site).includes(session) && session.user.state !== "DELETED";
  await judge(
    () => auth.revokeSession({ siteId, sessionId: session.id }),
    unless({ SESSION_NOT_FOUND: !isHere }, (told) => {
      session.alive = false;
      expectVersion(session.user, told);
    }),
  );
}

/** Ends a Session by another's access token: only the User's own, unless it is an admin. */
export async function revokeSessionAsUser(
  world: World,
  site: ModelSite,
  [own, token]: readonly [ModelSession, AccessToken],
  session: ModelSession,
): Promise<void> {
  const { auth } = withCredential(world, token.text);
  const admitted = isCredential(own, token);
  const isHere = sessionsOf(site).includes(session) && session.user.state !== "DELETED";
  const reaches = isHere && (session.user === own.user || token.roles.includes("admin"));
  const reasons = { CREDENTIAL_INVALID: !admitted, SESSION_NOT_FOUND: admitted && !reaches };
  await judge(
    () => auth.revokeSession({ sessionId: session.id }),
    unless(reasons, (told) => {
      session.alive = false;
      expectVersion(session.user, told);
    }),
  );
}

/** Ends all Sessions of a User. */
export async function revokeAll(
  world: World,
  site: ModelSite,
  actor: Actor,
  user: ModelUser,
): Promise<void> {
  const { auth, siteId } = clientsAs(world, site, actor);
  await judge(
    () => auth.revokeAllSessions({ siteId, userId: user.id }),
    unless({ USER_NOT_FOUND: user.state === "DELETED" }, (told) => {
      expect(told.endedSessions).toBe(user.sessions.filter(({ alive }) => alive).length);
      endSessions(site, user);
      expectVersion(user, told);
    }),
  );
}

/** Ends all Sessions of a User but the one that asks. */
export async function revokeOthers(
  world: World,
  site: ModelSite,
  session: ModelSession,
  token: AccessToken,
): Promise<void> {
  const { auth } = withCredential(world, token.text);
  const others = session.user.sessions.filter((other) => other !== session);
  await judge(
    () => auth.revokeAllSessions({ keepCurrent: true }),
    unless({ CREDENTIAL_INVALID: !isCredential(session, token) }, (told) => {
      expect(told.endedSessions).toBe(others.filter(({ alive }) => alive).length);
      for (const other of others) other.alive = false;
      voidLinks(site, session.user, "CONFIRM_EMAIL_CHANGE");
      expectVersion(session.user, told);
    }),
  );
}

/** Turns an access token into one for another audience. */
export async function exchangeToken(
  world: World,
  session: ModelSession,
  token: AccessToken,
  audience: string,
): Promise<void> {
  const { auth } = withCredential(world, token.text);
  await judge(
    () => auth.exchangeToken({ audience }),
    unless({ CREDENTIAL_INVALID: !isCredential(session, token) }, ({ accessToken: text }) => {
      const { generation, roles } = token;
      session.accessTokens.push({ text, generation, roles, audience });
    }),
  );
}

/** Tells whether Signet itself takes a token: its own only, and none for another audience alone. */
export function isCredential(session: ModelSession, token: AccessToken): boolean {
  return isGood(session, token) && token.audience === "";
}

/** Notes the tokens of an answer, which say what the User is by now. */
export function keepTokens(
  { user, accessTokens, refreshTokens }: ModelSession,
  tokens: TokenPair | undefined,
  { withRefresh = true } = {},
): void {
  const { generation, roles } = user;
  accessTokens.push({ text: tokens?.accessToken ?? "", generation, roles, audience: "" });
  if (!withRefresh) return;
  const text = tokens?.refreshToken ?? "";
  refreshTokens.push({ text, usedMs: undefined, isVoid: false });
}

function successorOf({ refreshTokens }: ModelSession, token: RefreshToken) {
  return refreshTokens[refreshTokens.indexOf(token) + 1];
}

/** On a machine that stood still, what was presented in time arrives when its grace is over. */
function orTooLate(usedMs: readonly [number, number] | undefined) {
  return (error: unknown): undefined => {
    const isLate = usedMs !== undefined && performance.now() - usedMs[0] > GRACE_MS;
    if (isLate && refusalOf(error).reason === "REFRESH_TOKEN_INVALID") return;
    throw error;
  };
}
