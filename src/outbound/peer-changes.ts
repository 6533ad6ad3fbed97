import { ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import { type ListChangesResponse, SyncService } from "../../gen/signet/v1/sync_service_pb.ts";
import type { User } from "../../gen/signet/v1/user_pb.ts";
import { LIMITS } from "../model/limits.ts";
import type { PeerConfig, PeerUser } from "../model/peer.ts";
import { callPeer, PeerError, PeerRefusal } from "./peer-post.ts";
import { readPeerUser } from "./peer-user.ts";

/** A part of what the Users of a Peer are, or have become. */
export interface PeerPage {
  /** In the order in which they are to be taken. */
  readonly users: readonly PeerUser[];
  /** Whether they are what the Users are, and not what has changed since. */
  readonly isSnapshot: boolean;
  /** Users that are none by the rules here. */
  readonly malformed: number;
  /** For the next page. */
  readonly cursor: string;
  /** Everything up to here is told by now; absent: that is not known yet. */
  readonly position: number | undefined;
  readonly head: number;
}

/** Where the next page begins. */
export interface PeerPlace {
  /** Empty: with all Users. */
  readonly cursor: string;
  /** A name for this Signet among those with the same key. */
  readonly clientId: string;
  readonly signal: AbortSignal;
}

/** What to do about these is written in the contract: begin anew. */
const OVER: readonly ErrorReason[] = [
  ErrorReason.INVALID_CURSOR,
  ErrorReason.CURSOR_EXPIRED,
  ErrorReason.EPOCH_CHANGED,
  ErrorReason.CURSOR_AHEAD,
  ErrorReason.SCOPE_CHANGED,
];
const CURSOR_LENGTH_MAX = 4_096;

/**
 * Reads the next page of the Users of a Peer, and waits for one where there is none. Returns
 * undefined where the cursor is good no more.
 *
 * @throws {PeerError}
 */
export async function readPeerPage(
  peer: PeerConfig,
  internalHosts: readonly string[],
  { cursor, clientId, signal }: PeerPlace,
): Promise<PeerPage | undefined> {
  const request = {
    cursor,
    clientId,
    waitSeconds: LIMITS.peerSyncWaitSeconds,
    pageSize: LIMITS.peerPageUsers,
  };
  const { peerSyncTimeoutMs: timeoutMs, peerPageBytesMax: bytesMax } = LIMITS;
  const call = { internalHosts, signal, timeoutMs, bytesMax };
  try {
    const answer = await callPeer(peer, SyncService.method.listChanges, request, call);
    return toPage(peer, answer);
  } catch (error) {
    if (!(error instanceof PeerRefusal)) throw error;
    if (OVER.includes(error.reason)) return undefined;
    throw new PeerError("answer_invalid", { cause: error });
  }
}

function toPage(peer: PeerConfig, answer: ListChangesResponse): PeerPage {
  const { hello, snapshotPage, snapshotEnd, changeBatch, checkpoint, cursor } = answer;
  if (hello?.siteId !== peer.peerSiteId || cursor === "" || cursor.length > CURSOR_LENGTH_MAX) {
    throw new PeerError("answer_invalid");
  }
  const messages = [...(snapshotPage?.users ?? []), ...changedUsers(changeBatch)];
  if (messages.length > LIMITS.peerPageUsers) throw new PeerError("answer_invalid");
  const users = messages.flatMap((message) => readOrSkip(peer, message));
  const position = checkpoint?.position ?? changeBatch?.position ?? snapshotEnd?.tailPosition;
  return {
    users,
    isSnapshot: snapshotPage !== undefined,
    cursor,
    malformed: messages.length - users.length,
    position: position === undefined ? undefined : toNumber(position),
    head: toNumber(checkpoint?.head ?? hello.head),
  };
}

function changedUsers(batch: ListChangesResponse["changeBatch"]): User[] {
  return (batch?.changes ?? []).flatMap(({ user }) => (user ? [user] : []));
}

/** One User that is malformed must not hold back all others. */
function readOrSkip(peer: PeerConfig, message: User): PeerUser[] {
  try {
    return [readPeerUser(peer, message)];
  } catch (error) {
    if (error instanceof PeerError) return [];
    throw error;
  }
}

function toNumber(position: bigint): number {
  if (position < 0n || position > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new PeerError("answer_invalid");
  }
  return Number(position);
}
