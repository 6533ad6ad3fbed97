import { createRemoteJWKSet, errors, type JWTVerifyGetKey } from "jose";
import { VerifierUnavailableError } from "./token-error.ts";

const FETCH_TIMEOUT_MS = 5_000;
/** A key that is not in the set is looked for at most this often. */
const COOL_DOWN_MS = 30_000;
/** Keys are fetched anew from this age on, while those at hand still serve. */
const REFRESH_MS = 5 * 60_000;
/** Keys that could not be fetched anew for this long are no longer trusted. */
const AGE_MS_MAX = 30 * 60_000;

/**
 * Follows the public keys that lie at an address (RFC 7517).
 *
 * A key is published before it signs, so a rotation is never noticed; a key that is withdrawn
 * is forgotten within 5 minutes, or 30 where the address does not answer, unless a revocation
 * tells of it sooner. Tokens that name unknown keys cause one fetch in 30 s, however many they are.
 *
 * Its answer to a token is the key, an error about the token, or VerifierUnavailableError.
 */
export function createKeySet(url: string): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(new URL(url), {
    timeoutDuration: FETCH_TIMEOUT_MS,
    cooldownDuration: COOL_DOWN_MS,
    cacheMaxAge: AGE_MS_MAX,
  });
  let refreshMs: number | undefined;

  function refreshWhenDue(): void {
    const nowMs = performance.now();
    refreshMs ??= nowMs + REFRESH_MS; // The first key has just been fetched.
    if (nowMs < refreshMs) return;
    refreshMs = nowMs + COOL_DOWN_MS;
    // Nobody waits for it, and its failure is no matter while the keys at hand are young enough.
    const refreshed = keys.reload().then(() => {
      refreshMs = performance.now() + REFRESH_MS;
    });
    refreshed.catch(() => undefined);
  }

  return async (header, token) => {
    try {
      const key = await keys(header, token);
      refreshWhenDue();
      return key;
    } catch (error) {
      throw isAboutToken(error) ? error : new VerifierUnavailableError({ cause: error });
    }
  };
}

function isAboutToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}
