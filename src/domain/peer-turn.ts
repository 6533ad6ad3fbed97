import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { endFlight, takeFlight } from "../store/peer-flights.ts";
import type { Deps } from "./deps.ts";

/**
 * Does the work in turn: over all processes, one at a time for each identifier. A row is the lock,
 * and not a transaction, which must not last as long as a call to elsewhere. Returns undefined if
 * the turn has not come in time.
 */
export async function inPeerTurn<T>(
  deps: Deps,
  siteId: SiteId,
  identifier: string,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const digest = deps.keyedDigest(siteId, "peer_flight", identifier);
  const flight = { digest, id: randomUUID() };
  const take = () =>
    deps.db.inSite(siteId, (tx) => takeFlight(tx, siteId, flight, LIMITS.peerFlightMs));
  const endMs = performance.now() + LIMITS.peerTurnMs;
  while (!(await take())) {
    if (performance.now() + LIMITS.peerTurnPollMs > endMs) return undefined;
    await sleep(LIMITS.peerTurnPollMs);
  }
  try {
    return await work();
  } finally {
    await deps.db.inSite(siteId, (tx) => endFlight(tx, siteId, flight));
  }
}
