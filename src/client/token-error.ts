/**
 * Why an access token was refused, as in `InvalidTokenReason` of ValidateToken:
 * `malformed`: not an access token of this Site, badly signed or made elsewhere;
 * `expired`: by more than the 30 s that clocks may differ;
 * `audience`: made for others;
 * `revoked`: its Session, its User's Generation, its Site or the key that signed it has ended.
 */
export type TokenProblem = "malformed" | "expired" | "audience" | "revoked";

/** An access token that is not good. Answer the request that brought it with 401. */
export class InvalidTokenError extends Error {
  readonly problem: TokenProblem;

  constructor(problem: TokenProblem, options?: ErrorOptions) {
    super(`the access token is not good: ${problem}`, options);
    this.name = "InvalidTokenError";
    this.problem = problem;
  }
}

/**
 * Nothing can be told of the token: Signet's public keys could not be fetched, or its revocations
 * have not been heard for too long. Answer 503.
 */
export class VerifierUnavailableError extends Error {
  constructor(options: ErrorOptions, message = withCause(options)) {
    super(message, options);
    this.name = "VerifierUnavailableError";
  }
}

/** A wrong key or address shows nowhere else. */
function withCause({ cause }: ErrorOptions): string {
  const message = "the public keys of Signet cannot be fetched";
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
