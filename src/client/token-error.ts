/**
 * Why an access token was refused, as in `InvalidTokenReason` of ValidateToken:
 * `malformed`: not an access token of this Site, badly signed or made elsewhere;
 * `expired`: by more than the 30 s that clocks may differ;
 * `audience`: made for others.
 */
export type TokenProblem = "malformed" | "expired" | "audience";

/** An access token that is not good. Answer the request that brought it with 401. */
export class InvalidTokenError extends Error {
  readonly problem: TokenProblem;

  constructor(problem: TokenProblem, options?: ErrorOptions) {
    super(`the access token is not good: ${problem}`, options);
    this.name = "InvalidTokenError";
    this.problem = problem;
  }
}

/** Signet's public keys could not be fetched, so nothing is known of the token: answer 503. */
export class VerifierUnavailableError extends Error {
  constructor(options: ErrorOptions) {
    super("the public keys of Signet cannot be fetched", options);
    this.name = "VerifierUnavailableError";
  }
}
