import { createHash } from "node:crypto";
import { LIMITS } from "../model/limits.ts";
import type { Secret } from "../model/secret.ts";
import { fetchText, OutwardError } from "./outward-get.ts";

/** Where to ask. */
export interface BreachedPasswordsOptions {
  /** The five digits of the range are appended to it. */
  readonly url: URL;
  /** Hosts that may have private addresses, and be called without TLS. */
  readonly internalHosts: readonly string[];
  /** Told when the service stops answering, and when it answers again. */
  readonly onState: (state: BreachedPasswordsState) => void;
}

/** Whether answers come; the problem may be logged. */
export type BreachedPasswordsState =
  | { readonly answers: true }
  | { readonly answers: false; readonly problem: string };

/** Knows which passwords stand in collections of breached ones. */
export interface BreachedPasswords {
  /** Tells whether the password is known from a breach; false while nobody can be asked. */
  includes(password: Secret): Promise<boolean>;
  /** What came of all questions so far. */
  counts(): BreachedPasswordsCounts;
}

/** How often the service was asked, and how often not. */
export interface BreachedPasswordsCounts {
  readonly asked: number;
  /** Of those asked. */
  readonly failed: number;
  /** The answer was known already. */
  readonly cached: number;
  /** Not asked, since the service has just failed several times. */
  readonly skipped: number;
  /** The password stood in the answer. */
  readonly found: number;
}

const PREFIX_LENGTH = 5;
/** After so many failures in a row nobody is asked for a while: each would cost a second. */
const FAILURES_MAX = 3;
const PAUSE_MS = 30_000;
const KEEP_MS = 24 * 60 * 60_000;
const LINE = /^([0-9A-F]{35}):([0-9]{1,12})\r?$/gim;

/** The suffixes of one range; missing: nobody could be asked. */
type Range = ReadonlySet<string> | undefined;

/**
 * Creates the look-up by ranges of SHA-1 (k-anonymity): five of forty digits leave this process,
 * and what comes back is compared here. The answer is padded, so that its length tells nothing of
 * the range either. When no answer comes within a second, the password passes.
 */
export function createBreachedPasswords(options: BreachedPasswordsOptions): BreachedPasswords {
  const ranges = new Map<string, { readonly loadedMs: number; readonly range: Promise<Range> }>();
  const counts = { asked: 0, failed: 0, cached: 0, skipped: 0, found: 0 };
  let failures = 0;
  let pausedUntilMs = 0;

  async function load(prefix: string): Promise<Range> {
    counts.asked += 1;
    try {
      const range = readRange(await fetchText(rangeUrl(options.url, prefix), request(options)));
      if (failures >= FAILURES_MAX) options.onState({ answers: true });
      failures = 0;
      return range;
    } catch (error) {
      if (!(error instanceof OutwardError)) throw error;
      counts.failed += 1;
      failures += 1;
      if (failures >= FAILURES_MAX) pausedUntilMs = performance.now() + PAUSE_MS;
      if (failures === FAILURES_MAX) options.onState({ answers: false, problem: error.message });
      ranges.delete(prefix);
      return undefined;
    }
  }

  function find(prefix: string): Promise<Range> {
    const nowMs = performance.now();
    const known = ranges.get(prefix);
    if (known && nowMs - known.loadedMs < KEEP_MS) {
      counts.cached += 1;
      return known.range;
    }
    if (nowMs < pausedUntilMs) {
      counts.skipped += 1;
      return Promise.resolve(undefined);
    }
    const range = load(prefix);
    ranges.delete(prefix);
    ranges.set(prefix, { loadedMs: nowMs, range });
    const [oldest] = ranges.keys();
    if (ranges.size > LIMITS.breachRangesMax && oldest !== undefined) ranges.delete(oldest);
    return range;
  }

  return {
    async includes(password) {
      const digest = createHash("sha1").update(password.reveal()).digest("hex").toUpperCase();
      const range = await find(digest.slice(0, PREFIX_LENGTH));
      const found = range?.has(digest.slice(PREFIX_LENGTH)) === true;
      if (found) counts.found += 1;
      return found;
    },
    counts: () => ({ ...counts }),
  };
}

function rangeUrl(base: URL, prefix: string): URL {
  return new URL(prefix, base.href.endsWith("/") ? base : `${base.href}/`);
}

function request({ internalHosts }: BreachedPasswordsOptions) {
  return {
    internalHosts,
    headers: { "add-padding": "true", "user-agent": "signet" },
    timeoutMs: LIMITS.breachTimeoutMs,
    bytesMax: LIMITS.breachAnswerBytesMax,
  };
}

/** Padding is made of suffixes that were counted 0 times. */
function readRange(text: string): ReadonlySet<string> {
  const suffixes = new Set<string>();
  for (const [, suffix = "", count] of text.matchAll(LINE)) {
    if (Number(count) > 0) suffixes.add(suffix.toUpperCase());
  }
  return suffixes;
}
