import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { PeerProblem as PeerProblemMessage, PeerState } from "../../gen/signet/v1/change_pb.ts";
import type { ListedPeer, PeerTest } from "../domain/peer-admin.ts";
import type { PeerProblem, PeerSyncState } from "../model/peer.ts";
import { optionalTimestamp } from "./convert-session.ts";

const PROBLEM: Readonly<Record<PeerProblem, PeerProblemMessage>> = {
  name_not_found: PeerProblemMessage.NAME_NOT_FOUND,
  address_refused: PeerProblemMessage.ADDRESS_REFUSED,
  connection_failed: PeerProblemMessage.CONNECTION_FAILED,
  tls_failed: PeerProblemMessage.TLS_FAILED,
  timed_out: PeerProblemMessage.TIMED_OUT,
  key_refused: PeerProblemMessage.KEY_REFUSED,
  access_denied: PeerProblemMessage.ACCESS_DENIED,
  unavailable: PeerProblemMessage.UNAVAILABLE,
  answer_invalid: PeerProblemMessage.ANSWER_INVALID,
};

/** Translates a Peer into the fields of its message; its key stays here. */
export function toPeerMessage({ peer, status, sync }: ListedPeer) {
  return {
    name: peer.name,
    url: peer.url,
    siteId: peer.siteId,
    userFields: [...peer.userFields],
    state: status.isOpen ? PeerState.BREAKER_OPEN : PeerState.READY,
    successTime: optionalTimestamp(status.successTime),
    failureTime: optionalTimestamp(status.failureTime),
    lastProblem: toProblem(status.lastProblem),
    sync: sync && toSyncMessage(sync),
  };
}

/** Translates what came of a call to a Peer. */
export function toPeerTestMessage({ problem, durationMs, answer }: PeerTest) {
  return {
    problem: toProblem(problem),
    durationMs,
    answer: answer && {
      ...answer,
      userFields: [...answer.userFields],
      serverTime: timestampFromDate(answer.serverTime),
    },
  };
}

function toSyncMessage({ position, head, contactTime, conflicts }: PeerSyncState) {
  return {
    position: BigInt(position),
    head: BigInt(head),
    contactTime: optionalTimestamp(contactTime),
    conflictCount: BigInt(conflicts),
  };
}

function toProblem(problem: PeerProblem | undefined): PeerProblemMessage {
  return problem ? PROBLEM[problem] : PeerProblemMessage.UNSPECIFIED;
}
