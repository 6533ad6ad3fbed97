import type { Logger } from "pino";
import type { Clock } from "../model/clock.ts";
import type { SiteId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import type { PeerConfig, PeerProblem, PeerUser } from "../model/peer.ts";
import type { UserRef } from "../model/user.ts";
import { PeerError } from "../outbound/peer-post.ts";

/** How a Peer has done since the process started. */
export interface PeerStatus {
  readonly isOpen: boolean;
  readonly successTime: Date | undefined;
  readonly failureTime: Date | undefined;
  readonly lastProblem: PeerProblem | undefined;
}

/** The Peers of this process, and which of them answer. */
export interface PeerBoard {
  /** By name. */
  readonly peers: readonly PeerConfig[];
  find(name: string): PeerConfig | undefined;
  /** Those that may be asked about an identifier. */
  askable(siteId: SiteId, identifier: UserRef): readonly PeerConfig[];
  status(peer: PeerConfig): PeerStatus;
  /** Calls a Peer unless it is left alone at present; undefined: there is no answer. */
  ask<T>(peer: PeerConfig, call: () => Promise<T>): Promise<T | undefined>;
  /** Calls a Peer in any case, and returns what was wrong with it. A success closes its breaker. */
  test<T>(peer: PeerConfig, call: () => Promise<T>): Promise<T | PeerError>;
}

interface PeerRecord {
  failures: number;
  openUntilMs: number;
  calls: number;
  successTime: Date | undefined;
  failureTime: Date | undefined;
  lastProblem: PeerProblem | undefined;
}

/**
 * Creates the board. A Peer that has failed several times in a row is left alone for a while; then
 * one call finds out whether it is back, while all others still go without it.
 */
export function createPeerBoard(
  configured: readonly PeerConfig[],
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): PeerBoard {
  const peers = configured.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const records = new Map(peers.map(({ name }) => [name, newRecord()]));

  function recordOf({ name }: PeerConfig): PeerRecord {
    const record = records.get(name);
    if (!record) throw new Error(`there is no peer ${name}`);
    return record;
  }

  async function call<T>(peer: PeerConfig, work: () => Promise<T>): Promise<T | PeerError> {
    const record = recordOf(peer);
    record.calls += 1;
    try {
      const answer = await work();
      if (record.failures > 0) log.info({ peer: peer.name }, "a peer answers again");
      record.failures = 0;
      record.successTime = clock.now();
      return answer;
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      record.failureTime = clock.now();
      if (noteFailure(record, error)) {
        const fields = { peer: peer.name, problem: error.problem, failures: record.failures };
        log.warn(fields, "a peer does not answer as it should");
      }
      return error;
    } finally {
      record.calls -= 1;
    }
  }

  return {
    peers,
    find: (name) => peers.find((peer) => peer.name === name),
    askable: (siteId, identifier) =>
      peers.filter((peer) => peer.siteId === siteId && mayAsk(peer, identifier)),
    status(peer) {
      const { failures, successTime, failureTime, lastProblem } = recordOf(peer);
      return { isOpen: failures >= LIMITS.peerFailuresMax, successTime, failureTime, lastProblem };
    },
    async ask(peer, work) {
      if (isLeftAlone(recordOf(peer))) return undefined;
      const answer = await call(peer, work);
      return answer instanceof PeerError ? undefined : answer;
    },
    test: call,
  };
}

function isLeftAlone(record: PeerRecord): boolean {
  if (record.calls >= LIMITS.peerCallsMax) return true;
  if (record.failures < LIMITS.peerFailuresMax) return false;
  if (performance.now() < record.openUntilMs) return true;
  record.openUntilMs = performance.now() + LIMITS.peerPauseMs; // This one call tries.
  return false;
}

/** Returns whether it is news: the first failure of a run, or the one that opens the breaker. */
function noteFailure(record: PeerRecord, { problem, isBusy }: PeerError): boolean {
  record.lastProblem = problem;
  if (isBusy) return false;
  record.failures += 1;
  const opens = record.failures >= LIMITS.peerFailuresMax;
  if (opens) record.openUntilMs = performance.now() + LIMITS.peerPauseMs;
  return record.failures === 1 || record.failures === LIMITS.peerFailuresMax;
}

function newRecord(): PeerRecord {
  return {
    failures: 0,
    openUntilMs: 0,
    calls: 0,
    successTime: undefined,
    failureTime: undefined,
    lastProblem: undefined,
  };
}

/** What is not taken could not be found here afterwards. */
function mayAsk(peer: PeerConfig, identifier: UserRef): boolean {
  if (identifier.by === "username") return peer.userFields.includes("username");
  if (identifier.by !== "email" || !peer.userFields.includes("email")) return false;
  return isAllowedAddress(peer, identifier.email);
}

/** Tells whether an address may come from a Peer. */
export function isAllowedAddress({ emailDomains }: PeerConfig, email: string): boolean {
  return emailDomains.length === 0 || emailDomains.includes(email.slice(email.indexOf("@") + 1));
}

/** @throws {PeerError} `answer_invalid` for anybody else than who was asked for. */
export function requireAskedFor(peer: PeerConfig, identifier: UserRef, user: PeerUser): PeerUser {
  const isSame =
    identifier.by === "email"
      ? user.email === identifier.email
      : identifier.by === "username" && user.username === identifier.username;
  const isAllowed = user.email === undefined || isAllowedAddress(peer, user.email);
  if (isSame && isAllowed && user.state === "active") return user;
  throw new PeerError("answer_invalid");
}
