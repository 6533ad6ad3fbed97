import type { CheckedToken } from "./verified-token.ts";

/** Tokens whose signature and claims were found good, by their text. */
export interface SeenTokens {
  /** Returns what a token says, if it was checked lately and has not expired since. */
  get(token: string): CheckedToken | undefined;
  add(token: string, checked: CheckedToken): void;
}

/** So often a token is checked anew, since the key that signed it may have been withdrawn. */
const AGE_MS_MAX = 60_000;
const TOKENS_MAX = 20_000; // About 20 MB.

interface Entry {
  readonly checked: CheckedToken;
  readonly endMs: number;
  readonly recheckMs: number;
}

/**
 * Remembers at most 20,000 tokens, for a minute each.
 *
 * Two maps take turns: the older one is dropped when the younger is half of it all. A hit costs
 * one look-up, where keeping them in order would cost a deletion and an insertion each time.
 */
export function createSeenTokens(toleranceMs: number): SeenTokens {
  let young = new Map<string, Entry>();
  let old = new Map<string, Entry>();

  function put(token: string, entry: Entry): void {
    if (young.size >= TOKENS_MAX / 2) [old, young] = [young, new Map()];
    young.set(token, entry);
  }

  return {
    get(token) {
      const inYoung = young.get(token);
      const entry = inYoung ?? old.get(token);
      if (!entry || Date.now() >= entry.endMs) return undefined;
      if (performance.now() >= entry.recheckMs) return undefined;
      if (!inYoung) put(token, entry);
      return entry.checked;
    },
    add(token, checked) {
      const endMs = checked.verified.expireTime.getTime() + toleranceMs;
      put(token, { checked, endMs, recheckMs: performance.now() + AGE_MS_MAX });
    },
  };
}
