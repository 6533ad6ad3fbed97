import { LIFETIME_RANGES } from "../model/site.ts";

const CLOCK_SKEW_MS = 60_000;

/**
 * How long a revocation is remembered: no access token that was made before it lives longer,
 * whatever the Site's settings were then.
 */
export const REVOCATION_MS = LIFETIME_RANGES.accessTokenSeconds.max * 1_000 + CLOCK_SKEW_MS;

/**
 * Until when a process remembers a revocation, on both of its clocks. It is over once both say so:
 * one may be set for a moment, and what was forgotten then would be good again.
 */
export interface RevocationTerm {
  readonly wallMs: number;
  readonly steadyMs: number;
}

/** Begins to remember what matters until then. */
export function beginTerm(expireTime: Date): RevocationTerm {
  return { wallMs: expireTime.getTime(), steadyMs: performance.now() + REVOCATION_MS };
}

/** Makes what tells, as of now, whether a term is over. */
export function termsOver(): (term: RevocationTerm) => boolean {
  const [wallMs, steadyMs] = [Date.now(), performance.now()];
  return (term) => term.wallMs < wallMs && term.steadyMs < steadyMs;
}
