import type { SiteRevocation } from "../model/change.ts";
import type { SiteId } from "../model/id.ts";
import { listRevocations } from "../store/revocations.ts";
import type { Deps } from "./deps.ts";
import type { RevocationPlace } from "./revocation-cursor.ts";
import type { RevocationLog } from "./revocation-log.ts";

/** Revocations, and what is known once they are received. */
export interface RevocationPage {
  readonly revocations: readonly SiteRevocation[];
  /** Where to go on. */
  readonly place: RevocationPlace;
  /** Whether there is more already. */
  readonly more: boolean;
  /** Everything that was committed by this time is received; absent: it cannot be told. */
  readonly asOf: Date | undefined;
}

/** A fresh reader has read everything that was committed so long ago. */
const FRESH_MS = 1_000;

/**
 * Returns the place to go on from: the one that is given or, where the log no longer reaches
 * back to it or has another epoch, the begin of the whole set.
 */
export function reachablePlace(
  log: RevocationLog,
  place: RevocationPlace | undefined,
): RevocationPlace {
  if (place && log.covers(place)) return place;
  return { phase: "set", ...log.place(), after: undefined };
}

/** Returns what comes after a place in the log, at once. The log must cover the place. */
export function revocationsAfter(
  { live, clock }: Deps,
  log: RevocationLog,
  siteId: SiteId,
  place: Extract<RevocationPlace, { readonly phase: "tail" }>,
  limit: number,
): RevocationPage {
  const asOf = live.isFresh() ? new Date(clock.now().getTime() - FRESH_MS) : undefined;
  const { revocations, pos } = log.after(siteId, place.pos, limit);
  const more = revocations.length === limit;
  return { revocations, place: { ...place, pos }, more, asOf: more ? undefined : asOf };
}

/**
 * Returns a page of the whole set, read in a transaction of its own; the last one goes on with
 * what the log has got since the first. Whatever was numbered by then was committed, and is in
 * the set.
 */
export async function pageOfRevocations(
  deps: Deps,
  log: RevocationLog,
  siteId: SiteId,
  place: Extract<RevocationPlace, { readonly phase: "set" }>,
  limit: number,
): Promise<RevocationPage> {
  const page = { after: place.after, limit, now: deps.clock.now() };
  const set = await deps.db.inSite(siteId, (tx) => listRevocations(tx, siteId, page), {
    readOnly: true,
  });
  const after = set.at(-1)?.notice ?? place.after;
  const rest = limit - set.length;
  if (rest === 0 || !log.covers(place)) {
    return { revocations: set, place: { ...place, after }, more: true, asOf: undefined };
  }
  const { epoch, pos } = place;
  const tail = revocationsAfter(deps, log, siteId, { phase: "tail", epoch, pos }, rest);
  return { ...tail, revocations: [...set, ...tail.revocations] };
}
