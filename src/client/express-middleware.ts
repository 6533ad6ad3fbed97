import { type AccessOptions, createAccessCheck } from "./access-check.ts";
import { AccessError } from "./access-error.ts";
import { setPrincipal } from "./principal.ts";

/** Which requests are let through, and what becomes of the others. */
export interface ExpressMiddlewareOptions extends AccessOptions {
  /**
   * Hands an AccessError to the app's own error handler instead of answering; default false.
   * Without such a handler Express prints each of them.
   */
  readonly passErrors?: boolean | undefined;
}

/** A middleware as Express has it, and whatever else stands on node:http. */
export type ExpressMiddleware = (
  request: RequestOfExpress,
  response: ResponseOfExpress,
  next: (error?: unknown) => void,
) => Promise<void>;

/** What the middleware reads of a request. */
export interface RequestOfExpress {
  readonly headers: { readonly authorization?: string | undefined };
}

/** What it needs of a response. */
export interface ResponseOfExpress {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  end(body: string): unknown;
}

/**
 * Makes a middleware that lets only those requests through that bring a good access token, as
 * `authorization: Bearer <token>`; behind it, `principalOf(request)` tells whose. It answers the
 * others itself, with 401, 403 or 503 and `{"error": <problem>, "message": …}`.
 *
 * @throws {TypeError} where no request could be let through.
 */
export function createExpressMiddleware(options: ExpressMiddlewareOptions): ExpressMiddleware {
  const check = createAccessCheck(options);
  return async (request, response, next) => {
    try {
      const verified = await check(request.headers.authorization);
      if (verified) setPrincipal(request, verified);
    } catch (error) {
      if (options.passErrors || !(error instanceof AccessError)) return next(error);
      return answer(response, error);
    }
    next();
  };
}

function answer(response: ResponseOfExpress, error: AccessError): void {
  const headers = { ...error.headers, "content-type": "application/json" };
  response.statusCode = error.status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.end(JSON.stringify({ error: error.problem, message: error.message }));
}
