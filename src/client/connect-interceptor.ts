import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { type AccessOptions, createAccessCheck } from "./access-check.ts";
import { AccessError } from "./access-error.ts";
import { setPrincipal } from "./principal.ts";

/**
 * Makes an interceptor for a server that lets only those calls through that bring a good access
 * token, as `authorization: Bearer <token>`; in the handler, `principalOf(context.values)` tells
 * whose. The others end with UNAUTHENTICATED, PERMISSION_DENIED or UNAVAILABLE.
 *
 * A stream is checked when it opens, and may outlive its token.
 *
 * @throws {TypeError} where no call could be let through.
 */
export function createConnectInterceptor(options: AccessOptions): Interceptor {
  const check = createAccessCheck(options);
  return (next) => async (request) => {
    try {
      const verified = await check(request.header.get("authorization"));
      if (verified) setPrincipal(request.contextValues, verified);
    } catch (error) {
      throw error instanceof AccessError ? toConnectError(error) : error;
    }
    return await next(request);
  };
}

function toConnectError(error: AccessError): ConnectError {
  const code = CODES[error.status] ?? Code.Internal;
  return new ConnectError(error.message, code, error.headers, undefined, error);
}

const CODES: Readonly<Record<number, Code>> = {
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  503: Code.Unavailable,
};
