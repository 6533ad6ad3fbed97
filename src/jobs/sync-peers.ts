import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Deps } from "../domain/deps.ts";
import { applyPage, leaveSync, restartSync, takeSync } from "../domain/peer-sync.ts";
import type { PeerConfig } from "../model/peer.ts";
import { PeerError } from "../outbound/peer-post.ts";

/** The syncs from Peers of this process. */
export interface PeerSyncs {
  /** Ends them after what is under way, and leaves them to other processes. */
  stop(): Promise<void>;
}

/** Who does not have the sync looks again whether its process is gone. */
const OTHERS_MS = 5_000;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 30_000;

/** Starts to follow the Peers that are to be: each by one process, over all of them. */
export function startPeerSyncs(deps: Deps, log: Logger): PeerSyncs {
  const stopping = new AbortController();
  const { signal } = stopping;
  const followed = deps.peers.board.peers.filter(({ sync }) => sync);
  const running = followed.map((peer) => follow(deps, peer, log, signal));
  return {
    async stop() {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

async function follow(
  deps: Deps,
  peer: PeerConfig,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const leaseId = randomUUID();
  let failures = 0;
  while (!signal.aborted) {
    try {
      const isMine = await step(deps, peer, leaseId, signal);
      if (failures > 0) log.info({ peer: peer.name }, "the sync from a peer goes on");
      failures = 0;
      if (!isMine) await pause(OTHERS_MS, signal);
    } catch (error) {
      if (signal.aborted) break;
      if (failures === 0)
        log.warn({ ...describe(error), peer: peer.name }, "a peer is not in sync");
      failures += 1;
      const waitMs = Math.min(RETRY_MS_MIN * 2 ** failures, RETRY_MS_MAX);
      await pause(waitMs * (0.5 + Math.random() / 2), signal);
    }
  }
  // Else it waits until the lease has expired.
  await leaveSync(deps, peer, leaseId).catch(() => undefined);
}

/** Takes one page; false: another process does. */
async function step(
  deps: Deps,
  peer: PeerConfig,
  leaseId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const place = await takeSync(deps, peer, leaseId);
  if (!place) return false;
  const { cursor } = place;
  const page = await deps.peers.client.readPage(peer, { cursor, clientId: peer.siteId, signal });
  if (page) return await applyPage(deps, peer, leaseId, page, place);
  await restartSync(deps, peer, leaseId);
  // It has refused a cursor that it has made: not at once again, for ever.
  await pause(RETRY_MS_MIN, signal);
  return true;
}

function describe(error: unknown): object {
  return error instanceof PeerError ? { problem: error.problem } : { err: error };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
