import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { SiteId } from "../model/id.ts";
import type { PeerCheck, PeerConfig, PeerProblem, PeerSyncState } from "../model/peer.ts";
import { PeerError } from "../outbound/peer-post.ts";
import { findPeerSync } from "../store/peer-syncs.ts";
import { recordAct } from "./audit.ts";
import type { Deps } from "./deps.ts";
import type { PeerStatus } from "./peer-board.ts";

/** A Peer, and how it is doing. */
export interface ListedPeer {
  readonly peer: PeerConfig;
  readonly status: PeerStatus;
  /** Absent: there is no sync from it. */
  readonly sync: PeerSyncState | undefined;
}

/** What came of a call to a Peer. */
export interface PeerTest {
  readonly problem: PeerProblem | undefined;
  readonly durationMs: number;
  readonly answer: PeerCheck | undefined;
}

const NOT_BEGUN: PeerSyncState = { position: 0, head: 0, contactTime: undefined, conflicts: 0 };

/** Lists the Peers that this process asks, by name. */
export async function listPeers(
  { db, peers: { board } }: Deps,
  siteId: SiteId | undefined,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<ListedPeer[]> {
  const wanted = board.peers.filter((peer) => siteId === undefined || peer.siteId === siteId);
  const page = wanted.filter(({ name }) => name > after).slice(0, limit);
  const listed: ListedPeer[] = [];
  for (const peer of page) {
    const find = () =>
      db.inSite(peer.siteId, (tx) => findPeerSync(tx, peer.siteId, peer.name), { readOnly: true });
    const sync = peer.sync ? ((await find()) ?? NOT_BEGUN) : undefined;
    listed.push({ peer, status: board.status(peer), sync });
  }
  return listed;
}

/** Calls a Peer and tells what came of it. @throws {Failure} `peer_not_found` */
export async function testPeer(deps: Deps, caller: Caller, name: string): Promise<PeerTest> {
  const { db, clock, peers } = deps;
  const peer = peers.board.find(name);
  if (!peer) throw new Failure("peer_not_found");
  const beginMs = performance.now();
  const answer = await peers.board.test(peer, () => peers.client.check(peer));
  const durationMs = Math.round(performance.now() - beginMs);
  const problem = answer instanceof PeerError ? answer.problem : undefined;
  const act = { kind: "peer.tested", details: { peer: name, problem: problem ?? "none" } };
  const { siteId } = peer;
  await db.inSite(siteId, (tx) => recordAct(tx, siteId, caller, act, clock.now()));
  return { problem, durationMs, answer: answer instanceof PeerError ? undefined : answer };
}
