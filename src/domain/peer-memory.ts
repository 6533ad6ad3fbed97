import { createHmac, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { LIMITS } from "../model/limits.ts";

/** What a process knows for a while of the logins that it has asked Peers about. */
export interface PeerMemory<T> {
  /** Stands for a login, its password included, in this process alone. */
  nameOf(parts: readonly string[]): string;
  /** Does the work, or waits for the same work that is under way already. */
  share(name: string, work: () => Promise<T>): Promise<T>;
  /** Tells whether the same was refused a moment ago. */
  isRefused(name: string): boolean;
  /** Notes that every Peer has refused it. */
  noteRefused(name: string): void;
  /** Notes how long it has taken to refuse somebody whom Peers were asked about. */
  noteDuration(ms: number): void;
  /** Waits as long as that takes: a refusal must not tell whether anybody was asked. */
  waitAsLong(signal: AbortSignal): Promise<void>;
}

const DURATIONS_MAX = 64;

/** Creates the memory, which forgets by itself. */
export function createPeerMemory<T>(): PeerMemory<T> {
  const key = randomBytes(32);
  const underWay = new Map<string, Promise<T>>();
  const refused = new Map<string, number>();
  const durations: number[] = [];

  return {
    nameOf: (parts) => createHmac("sha256", key).update(JSON.stringify(parts)).digest("base64"),
    async share(name, work) {
      const known = underWay.get(name);
      if (known) return await known;
      const done = work().finally(() => underWay.delete(name));
      underWay.set(name, done);
      return await done;
    },
    isRefused: (name) => performance.now() < (refused.get(name) ?? 0),
    noteRefused(name) {
      refused.delete(name);
      refused.set(name, performance.now() + LIMITS.peerRefusalMs);
      const [oldest] = refused.keys();
      if (refused.size > LIMITS.peerRefusalsMax && oldest !== undefined) refused.delete(oldest);
    },
    noteDuration(ms) {
      durations.push(ms);
      if (durations.length > DURATIONS_MAX) durations.shift();
    },
    async waitAsLong(signal) {
      const ms = durations[Math.floor(Math.random() * durations.length)];
      if (ms !== undefined) await sleep(Math.min(ms, LIMITS.peerTimeoutMs), undefined, { signal });
    },
  };
}
