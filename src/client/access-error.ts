import { InvalidTokenError, type TokenProblem, VerifierUnavailableError } from "./token-error.ts";

/**
 * Why a request was not let through: what is wrong with its token, or
 * `no_token`: it has none;
 * `role`: its User has none of the roles that are asked for;
 * `unavailable`: nothing can be told of the token now.
 */
export type AccessProblem = TokenProblem | "no_token" | "role" | "unavailable";

/**
 * A request that is not let through. Its fields are those by which Express and Fastify answer to
 * an error: 401, 403 or 503, and what to do about it (RFC 6750 §3, RFC 9110 §10.2.3).
 */
export class AccessError extends Error {
  readonly problem: AccessProblem;
  readonly status: number;
  /** The same as `status`, as Fastify has it. */
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(problem: AccessProblem, options?: ErrorOptions) {
    const { status, headers, message } = ANSWERS[problem];
    super(message, options);
    this.name = "AccessError";
    this.problem = problem;
    this.status = status;
    this.statusCode = status;
    this.headers = headers;
  }
}

/** Turns what a verifier throws into the answer to a request; any other error stays itself. */
export function toAccessError(error: unknown): unknown {
  if (error instanceof InvalidTokenError) return new AccessError(error.problem, { cause: error });
  if (!(error instanceof VerifierUnavailableError)) return error;
  return new AccessError("unavailable", { cause: error });
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly message: string;
}

const ANSWERS: Readonly<Record<AccessProblem, Answer>> = {
  // Whoever knows of no token yet is told of no error (RFC 6750 §3.1).
  no_token: {
    status: 401,
    headers: { "www-authenticate": "Bearer" },
    message: "an access token is needed",
  },
  malformed: badToken("the access token is not good"),
  expired: badToken("the access token has expired"),
  audience: badToken("the access token is for others"),
  revoked: badToken("the access token has been revoked"),
  role: {
    status: 403,
    headers: { "www-authenticate": 'Bearer error="insufficient_scope"' },
    message: "the User has not the role that is needed",
  },
  unavailable: {
    status: 503,
    headers: { "retry-after": "1" },
    message: "access tokens cannot be checked now",
  },
};

function badToken(message: string): Answer {
  const challenge = `Bearer error="invalid_token", error_description="${message}"`;
  return { status: 401, headers: { "www-authenticate": challenge }, message };
}
