import fc from "fast-check";
import {
  type AccessToken,
  type Actor,
  livingUsers,
  type ModelKey,
  type ModelLink,
  type ModelSession,
  type ModelSite,
  type ModelUser,
  pick,
  type RefreshToken,
  sessionsOf,
  type World,
} from "./model-state.ts";

/** A move as chance has drawn it: names and numbers, which choose among what is there by then. */
export interface Move {
  readonly name: string;
  readonly args: unknown;
  /** Which of the Sites it is made at. */
  readonly siteNumber: number;
  /** What it comes to at a Site; nothing where something is missing for it. */
  readonly at: (world: World, site: ModelSite) => Play;
}

/** Makes the move. */
export type Play = (() => Promise<void>) | undefined;

/** Which token: of which Session, and so many before its newest. */
export interface DrawnToken {
  readonly n: number;
  readonly back: number;
}

/** Chooses among what is there. */
export const anyNumber = fc.nat(40);

/** Who makes a call. */
export const actor = fc.constantFrom<Actor>("backend", "backend", "operator", "writer");

/** How far behind the version is that a change is meant for; undefined: it is for any. */
export const staleBy = fc.constantFrom(undefined, undefined, 0, 1);

/** Draws a move with its arguments. */
export function move<Args>(
  name: string,
  args: fc.Arbitrary<Args>,
  play: (world: World, site: ModelSite, args: Args) => Play,
): fc.Arbitrary<Move> {
  return fc.record({ siteNumber: fc.nat(5), args }).map(({ siteNumber, args: drawn }) => ({
    name,
    siteNumber,
    args: drawn,
    at: (world, site) => play(world, site, drawn),
  }));
}

/** Has a move drawn so many times as often as others. */
export function often<T>(times: number, one: T): T[] {
  return Array.from({ length: times }, () => one);
}

/** Chooses mostly one who is there, now and then a tombstone. */
export function withUser(
  site: ModelSite,
  n: number,
  act: (user: ModelUser) => Promise<void>,
): Play {
  const user = pick(n % 8 === 7 ? site.users : livingUsers(site), n);
  return user && (() => act(user));
}

/** Chooses mostly one of the newest of the Site, now and then one of any Site. */
export function withLink(
  world: World,
  site: ModelSite,
  n: number,
  act: (link: ModelLink) => Promise<void>,
): Play {
  const all = openSites(world).flatMap(({ links }) => links);
  const link = pick(n % 5 === 4 ? all : site.links.toReversed().slice(0, 4), n);
  return link && (() => act(link));
}

/** Chooses an access token, counted from the newest Session. */
export function withAccessToken(
  site: ModelSite,
  { n, back }: DrawnToken,
  act: (session: ModelSession, token: AccessToken) => Promise<void>,
): Play {
  const session = pick(sessionsOf(site).toReversed(), n);
  const token = session?.accessTokens.at(-1 - back) ?? session?.accessTokens.at(-1);
  return session && token && (() => act(session, token));
}

/** Chooses a refresh token of any Site. */
export function withRefreshToken(
  world: World,
  { n, back }: DrawnToken,
  act: (session: ModelSession, token: RefreshToken) => Promise<void>,
): Play {
  const session = pick(everySession(world), n);
  const token = session?.refreshTokens.at(-1 - back) ?? session?.refreshTokens.at(-1);
  return session && token && (() => act(session, token));
}

/** Returns the Users of all Sites, tombstones too. */
export function everyUser(world: World): ModelUser[] {
  return openSites(world).flatMap(({ users }) => users);
}

/** Returns the Sessions of all Sites, ended ones too. */
export function everySession(world: World): ModelSession[] {
  return openSites(world).flatMap(sessionsOf);
}

/** Returns the keys of all Sites, revoked ones too. */
export function everyKey(world: World): ModelKey[] {
  return openSites(world).flatMap(({ keys }) => keys);
}

/** Returns the Sites that are not deleted. */
export function openSites({ sites }: World): ModelSite[] {
  return sites.filter(({ gone }) => !gone);
}
