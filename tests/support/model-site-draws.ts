import fc from "fast-check";
import {
  actor,
  anyNumber,
  everyKey,
  everyUser,
  type Move,
  move,
  openSites,
  staleBy,
} from "./model-draw.ts";
import * as sites from "./model-site-moves.ts";
import { pick } from "./model-state.ts";

const SITES_MAX = 3;
const KEYS_MAX = 4;
const DELETED_SITES_MAX = 1;

/** Draws what is done to Sites. */
export function siteMoves(): fc.Arbitrary<Move>[] {
  const settings = fc.record(
    {
      name: fc.constantFrom("Model", "Another"),
      selfRegistration: fc.constantFrom(true, true, true, false),
      passwordLengthMin: fc.constantFrom(15, 20),
    },
    { requiredKeys: [] },
  );
  const change = fc.record({ fields: settings, as: actor, staleBy });
  return [
    move("createSite", fc.boolean(), (world, site, isTaken) =>
      world.sites.length < SITES_MAX || isTaken
        ? () => sites.createSite(world, isTaken ? site : undefined)
        : undefined,
    ),
    move(
      "updateSite",
      change,
      (world, site, { as, ...rest }) =>
        () =>
          sites.updateSite(world, site, as, rest),
    ),
    move("deleteSite", fc.nat(3), (world, site, n) =>
      n === 0 && world.sites.length - openSites(world).length < DELETED_SITES_MAX
        ? () => sites.deleteSite(world, site)
        : undefined,
    ),
    move("resumeStream", fc.constant(0), (world, site) => () => sites.resumeStream(world, site)),
  ];
}

/** Draws what is done with keys. */
export function keyMoves(): fc.Arbitrary<Move>[] {
  const scopes = fc.subarray(["AUTH", "USERS_READ", "USERS_WRITE", "SYNC"], { minLength: 1 });
  return [
    move("createKey", fc.record({ scopes, as: actor }), (world, site, { scopes: given, as }) =>
      site.keys.length < KEYS_MAX ? () => sites.createKey(world, site, as, given) : undefined,
    ),
    move("revokeKey", anyNumber, (world, site, n) => {
      const key = pick(everyKey(world), n);
      return key && (() => sites.revokeKey(world, site, key));
    }),
    move("readByKey", fc.tuple(anyNumber, anyNumber), (world, site, [k, n]) => {
      const [key, user] = [pick(site.keys, k), pick(everyUser(world), n)];
      return key && user && (() => sites.readByKey(world, site, key, user));
    }),
  ];
}
