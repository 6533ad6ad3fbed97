import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Revocation } from "../../gen/signet/v1/change_pb.ts";
import type { CheckedToken } from "./verified-token.ts";

/** What has ended of a Site: facts that are never taken back, in any order. */
export interface RevocationSet {
  add(revocations: readonly Revocation[]): void;
  /** Tells whether a token, or what it hangs on, has ended. */
  refuses(token: CheckedToken): boolean;
}

interface Raised {
  readonly generation: number;
  readonly untilMs: number;
}

const SWEEP_MS = 60_000;

/** Makes an empty set. What no token can outlive is forgotten within a minute. */
export function createRevocationSet(): RevocationSet {
  /** Sessions and signing keys, which are UUIDs, with the time until which they matter. */
  const ended = new Map<string, number>();
  const generations = new Map<string, Raised>();
  let siteClosed = false;
  let sweptMs = Date.now();

  function note({ subject, expireTime }: Revocation): void {
    const untilMs = endMs(expireTime);
    switch (subject.case) {
      case "sessionEnded":
        ended.set(subject.value.sessionId, untilMs);
        return;
      case "signingKeyWithdrawn":
        ended.set(subject.value.keyId, untilMs);
        return;
      case "generationRaised":
        raise(subject.value.userId, { generation: Number(subject.value.generation), untilMs });
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

  function sweep(nowMs: number): void {
    if (nowMs - sweptMs < SWEEP_MS) return;
    sweptMs = nowMs;
    for (const [id, untilMs] of ended) if (untilMs < nowMs) ended.delete(id);
    for (const [id, { untilMs }] of generations) if (untilMs < nowMs) generations.delete(id);
  }

  return {
    add(revocations) {
      for (const revocation of revocations) note(revocation);
      sweep(Date.now());
    },
    refuses({ verified, keyId }) {
      const { sessionId, userId, generation } = verified;
      if (siteClosed || ended.has(sessionId) || ended.has(keyId)) return true;
      const raised = generations.get(userId);
      return raised !== undefined && generation < raised.generation;
    },
  };
}

/** Without a time it is kept for good. */
function endMs(expireTime: Timestamp | undefined): number {
  return expireTime ? timestampMs(expireTime) : Number.POSITIVE_INFINITY;
}
