import { type AccessOptions, createAccessCheck } from "./access-check.ts";
import { setPrincipal } from "./principal.ts";

/** What the hook reads of a request of Fastify. */
interface RequestOfFastify {
  readonly headers: { readonly authorization?: string | undefined };
}

/** A hook as Fastify has it, for `onRequest`, of the app, a plugin or a route. */
export type FastifyHook = (request: RequestOfFastify) => Promise<void>;

/**
 * Makes a hook that lets only those requests through that bring a good access token, as
 * `authorization: Bearer <token>`; behind it, `principalOf(request)` tells whose. It throws an
 * AccessError for the others, which Fastify answers with 401, 403 or 503.
 *
 * @throws {TypeError} where no request could be let through.
 */
export function createFastifyHook(options: AccessOptions): FastifyHook {
  const check = createAccessCheck(options);
  return async (request) => {
    const verified = await check(request.headers.authorization);
    if (verified) setPrincipal(request, verified);
  };
}
