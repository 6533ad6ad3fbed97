import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Revocation } from "../../gen/signet/v1/change_pb.ts";
import type { CheckedToken } from "./verified-token.ts";

/** What has ended of a Site: facts that are never taken back, in any order. */
export interface RevocationSet {
  add(revocations: readonly Revocation[]): void;
  /** Tells whether a token, or what it hangs on, has ended. */
  refuses(token: CheckedToken): boolean;
}

/**
 * Until when something matters, on both clocks of this machine. It is forgotten once both say so:
 * one may be set for a moment, and a token is good by that one.
 */
interface Term {
  readonly wallMs: number;
  readonly steadyMs: number;
}

interface Raised {
  readonly generation: number;
  readonly term: Term;
}

const SWEEP_MS = 60_000;

/** Makes an empty set. What no token can outlive is forgotten within a minute. */
export function createRevocationSet(): RevocationSet {
  /** Sessions and signing keys, which are UUIDs. */
  const ended = new Map<string, Term>();
  const generations = new Map<string, Raised>();
  let siteClosed = false;
  let sweptMs = performance.now();

  function note(revocation: Revocation): void {
    const { subject } = revocation;
    const term = termOf(revocation);
    switch (subject.case) {
      case "sessionEnded":
        ended.set(subject.value.sessionId, term);
        return;
      case "signingKeyWithdrawn":
        ended.set(subject.value.keyId, term);
        return;
      case "generationRaised":
        raise(subject.value.userId, { generation: Number(subject.value.generation), term });
        return;
      case "siteClosed":
        siteClosed = true;
        return;
      case "apiKeyWithdrawn": // API keys are none of a token's concern.
      case undefined: // Of a newer Signet.
        return;
    }
  }

  function raise(userId: string, raised: Raised): void {
    const known = generations.get(userId);
    if (!known || known.generation < raised.generation) generations.set(userId, raised);
  }

  function sweep(): void {
    const now: Term = { wallMs: Date.now(), steadyMs: performance.now() };
    if (now.steadyMs - sweptMs < SWEEP_MS) return;
    sweptMs = now.steadyMs;
    for (const [id, term] of ended) if (isOver(term, now)) ended.delete(id);
    for (const [id, { term }] of generations) if (isOver(term, now)) generations.delete(id);
  }

  return {
    add(revocations) {
      for (const revocation of revocations) note(revocation);
      sweep();
    },
    refuses({ verified, keyId }) {
      const { sessionId, userId, generation } = verified;
      if (siteClosed || ended.has(sessionId) || ended.has(keyId)) return true;
      const raised = generations.get(userId);
      return raised !== undefined && generation < raised.generation;
    },
  };
}

/** Without times it is kept for good. */
function termOf({ revokeTime, expireTime }: Revocation): Term {
  const wallMs = expireTime ? timestampMs(expireTime) : Number.POSITIVE_INFINITY;
  const lifeMs = revokeTime ? wallMs - timestampMs(revokeTime) : 0;
  return { wallMs, steadyMs: performance.now() + lifeMs };
}

function isOver({ wallMs, steadyMs }: Term, now: Term): boolean {
  return wallMs < now.wallMs && steadyMs < now.steadyMs;
}
