import type { VerifiedToken } from "./verified-token.ts";

/**
 * Whom data belong to, and in whose name something is done: a verified token says it of whoever
 * calls, and a job that works for a User may say it by itself.
 */
export type Principal = Pick<VerifiedToken, "userId" | "siteId">;

/** Beside the requests instead of in them, where a body or a header could be taken for it. */
const principals = new WeakMap<object, VerifiedToken>();

/** Notes who has sent a request. */
export function setPrincipal(request: object, verified: VerifiedToken): void {
  principals.set(request, verified);
}

/**
 * Tells who has sent a request, as the access token in it has proved: of Express or Fastify, by
 * the request; of Connect, by the context's `values`.
 *
 * @throws {Error} where no middleware of Signet has let the request through, or it let it through
 *   without a token (`optional`). Such an error is the app's own: it shows a route that nobody
 *   guards.
 */
export function principalOf(request: object): VerifiedToken {
  const verified = principals.get(request);
  if (verified) return verified;
  throw new Error("nobody is known to have sent this request: is it behind the middleware?");
}

/** Tells who has sent a request, or undefined where it brought no token. */
export function findPrincipal(request: object): VerifiedToken | undefined {
  return principals.get(request);
}
