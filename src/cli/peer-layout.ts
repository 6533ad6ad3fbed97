import { type Peer, PeerProblemSchema, PeerStateSchema } from "../../gen/signet/v1/change_pb.ts";
import type { ListPeersResponse, TestPeerResponse } from "../../gen/signet/v1/sync_service_pb.ts";
import { enumWords } from "./enum-words.ts";
import { layOutFields, layOutTable } from "./layout.ts";
import { listText, timeText, yesOrNo } from "./values.ts";

/** What can be wrong with a Peer, in words. */
export const PROBLEMS = enumWords(PeerProblemSchema, " ");

const STATES = enumWords(PeerStateSchema, " ");

/** Lays out a table of Peers. */
export function layOutPeers({ peers }: ListPeersResponse): string {
  if (peers.length === 0) return "There are no peers.";
  return layOutTable(
    ["name", "url", "site", "state", "answered", "failed", "problem", "sync"],
    peers.map((peer) => [
      peer.name,
      peer.url,
      peer.siteId,
      STATES.wordOf(peer.state),
      timeText(peer.successTime),
      timeText(peer.failureTime),
      peer.failureTime && PROBLEMS.wordOf(peer.lastProblem),
      syncText(peer),
    ]),
  );
}

/** Lays out what a Peer has answered. */
export function layOutPeerTest({ problem, durationMs, answer }: TestPeerResponse): string {
  return layOutFields([
    ["Problem", answer ? undefined : PROBLEMS.wordOf(problem)],
    ["Took", `${durationMs} ms`],
    ["Site", answer?.siteId],
    ["Name", answer?.siteName],
    ["User fields", answer && (listText(answer.userFields) || "all")],
    ["May sync", answer && yesOrNo(answer.sync)],
    ["Its clock", timeText(answer?.serverTime)],
  ]);
}

/** Writes how far the sync from a Peer has come; undefined: there is none. */
export function syncText({ sync }: Peer): string | undefined {
  if (!sync) return undefined;
  const { position, head, conflictCount, contactTime } = sync;
  const place = contactTime ? `${position} of ${head}` : "not begun";
  return conflictCount > 0n ? `${place}, ${conflictCount} in conflict` : place;
}
