import { expect } from "vitest";
import { InvalidTokenReason } from "../../gen/signet/v1/auth_service_pb.ts";
import { UserState } from "../../gen/signet/v1/user_pb.ts";
import { type Clients, clientsOf, refusal } from "./builders.ts";
import {
  type AccessToken,
  isGood,
  livingUsers,
  type ModelSession,
  type ModelSite,
  type ModelUser,
  sessionsOf,
  viewOf,
  type World,
} from "./model-state.ts";
import { nameIn, viewOfMessage } from "./model-stream.ts";
import { sumsOfRows } from "./site-sums.ts";
import { until } from "./waiting.ts";

/** What is promised within a second; a loaded machine may take longer to show it. */
const SETTLES_WITHIN_MS = 60_000;
const TOKENS_CHECKED_MAX = 16;
const GUESSES_MAX = 20;
const PAGE_SIZE = 3;
const ALL_STATES = [
  UserState.ACTIVE,
  UserState.INVITED,
  UserState.DISABLED,
  UserState.DELETED,
] as const;

/** Compares all that Signet says of a Site, at both processes, with what it should say. */
export async function compareSite({ transports, moves }: World, site: ModelSite): Promise<void> {
  const [here, there] = transports.map((each) => clientsOf(each, site.backend.secret));
  if (!here || !there) throw new Error("there are two processes");
  const [one, other] = moves % 2 === 0 ? [here, there] : [there, here];
  await Promise.all([
    compareList(one, site),
    compareChanges(site),
    ...livingUsers(site).flatMap((user) => [
      compareUser(other, user),
      compareNames(one, user),
      compareSessions(one, user),
    ]),
    ...latestTokens(site).flatMap(([session, token]) => [
      compareToken(here, site, session, token),
      compareToken(there, site, session, token),
    ]),
  ]);
}

/** Compares the digests of a Site, by which mirrors find what they lack, with the oracle's own. */
export async function compareDigests({ transports }: World, site: ModelSite): Promise<void> {
  const rows = livingUsers(site).map(
    ({ id, version }) => [id, { version, deleted: false }] as const,
  );
  const { count, xor } = sumsOfRows(new Map(rows));
  const positionMin = BigInt(site.changes.length);
  for (const transport of transports) {
    const { sync } = clientsOf(transport, site.backend.secret);
    const { position, sums } = await sync.compareDigests({ positionMin });
    const told = { position, count: sums?.count, xor: sums?.xor };
    expect(told).toEqual({ position: positionMin, count, xor });
  }
}

/** Tombstones are in the list too; pages are small, so that there are some. */
async function compareList({ users }: Clients, site: ModelSite): Promise<void> {
  const listed: ReturnType<typeof viewOfMessage>[] = [];
  let pageToken = "";
  do {
    const request = { filter: { states: [...ALL_STATES] }, pageSize: PAGE_SIZE, pageToken };
    const page = await users.listUsers(request);
    listed.push(...page.users.map(viewOfMessage));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  const byId = site.users.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  expect(listed).toEqual(byId.map(viewOf));
}

/** Each Change comes once, in order, with positions that begin at 1 and have no gaps. */
async function compareChanges({ stream, changes }: ModelSite): Promise<void> {
  await until(() => stream.changes.length >= changes.length, SETTLES_WITHIN_MS).catch(() => []);
  expect(stream.changes).toEqual(changes.map((change, n) => ({ position: n + 1, ...change })));
}

async function compareUser({ users }: Clients, user: ModelUser): Promise<void> {
  const { user: told, signIn } = await users.getUser({ userId: user.id });
  expect(viewOfMessage(told)).toEqual(viewOf(user));
  expect({
    guesses: signIn?.failedLogins,
    locked: signIn?.lockExpireTime !== undefined,
    sessions: signIn?.activeSessions,
  }).toEqual({
    guesses: user.guesses,
    locked: user.guesses >= GUESSES_MAX,
    sessions: user.sessions.filter(({ alive }) => alive).length,
  });
}

async function compareNames({ users }: Clients, user: ModelUser): Promise<void> {
  for (const name of ["email", "username", "externalId"] as const) {
    const value = user[name];
    if (value === "") continue;
    const { user: told } = await users.lookupUser({ user: { ref: { case: name, value } } });
    expect(viewOfMessage(told)).toEqual(viewOf(user));
  }
}

async function compareSessions({ auth }: Clients, user: ModelUser): Promise<void> {
  const { sessions } = await auth.listSessions({ userId: user.id });
  const alive = user.sessions.filter((session) => session.alive).map(({ id }) => id);
  expect(sessions.map(({ id }) => id)).toEqual(alive.reverse());
}

/** A token that is good must be good at once; one that has ended may be heard of a little later. */
async function compareToken(
  { auth }: Clients,
  site: ModelSite,
  session: ModelSession,
  token: AccessToken,
): Promise<void> {
  const good = isGood(session, token);
  const ask = () => auth.validateToken({ token: token.text, audience: token.audience });
  if (!good) {
    await until(async () => (await ask()).result.case === "invalid", SETTLES_WITHIN_MS);
  }
  const { result } = await ask();
  if (result.case === "invalid") {
    const told = { good: false, reason: nameIn(InvalidTokenReason, result.value.reason) };
    expect(told).toEqual({ good, reason: "REVOKED" });
    return;
  }
  const { userId, sessionId, siteId, roles } = result.value ?? {};
  const { id, user } = session;
  expect({ good: true, userId, sessionId, siteId, roles }).toEqual({
    good,
    userId: user.id,
    sessionId: id,
    siteId: site.id,
    roles: token.roles,
  });
}

/** Expects what belongs to one Site to be nothing at another. */
export async function compareForeign(world: World, site: ModelSite): Promise<void> {
  const [transport] = world.transports;
  const { auth, users } = clientsOf(transport, site.backend.secret);
  const others = world.sites.filter((other) => other !== site && !other.gone);
  for (const other of others) {
    const [user] = livingUsers(other).filter(({ id }) => site.users.every((own) => own.id !== id));
    if (user)
      expect((await refusal(users.getUser({ userId: user.id }))).reason).toBe("USER_NOT_FOUND");
    const [[, token] = []] = latestTokens(other);
    if (!token) continue;
    const { result } = await auth.validateToken({ token: token.text });
    expect(result.case === "invalid" && nameIn(InvalidTokenReason, result.value.reason)).toBe(
      "MALFORMED",
    );
  }
}

function latestTokens(site: ModelSite): (readonly [ModelSession, AccessToken])[] {
  const all = sessionsOf(site).flatMap((session) =>
    session.accessTokens.map((token) => [session, token] as const),
  );
  return all.slice(-TOKENS_CHECKED_MAX);
}
