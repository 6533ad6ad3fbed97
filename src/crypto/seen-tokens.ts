import { type ReadToken, readAccessToken, type SignedToken } from "./access-token.ts";
import type { VerificationKey } from "./signing-key.ts";

const TOKENS_MAX = 20_000; // About 40 MB.

interface Entry {
  readonly signed: SignedToken;
  /** The keys that were known when the signature was checked. */
  readonly findKey: (kid: string) => VerificationKey | undefined;
}

/**
 * Creates a reader of tokens that does not check the same signature twice, which is most of what
 * reading a token costs. It remembers a token by its whole text, and only as long as the same
 * `findKey` is given: with new keys every token is read anew.
 *
 * Two maps take turns: the older one is dropped when the younger is half of it all. What is not
 * signed by a key is never remembered.
 */
export function createTokenReader(tokensMax = TOKENS_MAX): ReadToken {
  let young = new Map<string, Entry>();
  let old = new Map<string, Entry>();

  function put(token: string, entry: Entry): void {
    if (young.size >= tokensMax / 2) [old, young] = [young, new Map()];
    young.set(token, entry);
  }

  return (token, findKey) => {
    const inYoung = young.get(token);
    const entry = inYoung ?? old.get(token);
    if (entry?.findKey === findKey) {
      if (!inYoung) put(token, entry);
      return entry.signed;
    }
    const signed = readAccessToken(token, findKey);
    if (signed) put(token, { signed, findKey });
    return signed;
  };
}
