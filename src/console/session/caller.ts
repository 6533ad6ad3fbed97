/** Who is signed in to the console. It is held in memory alone, and gone with the page. */
export type Caller = OperatorCaller | AdminCaller;

/** The holder of an operator key: all Sites. */
export interface OperatorCaller {
  readonly kind: "operator";
  readonly key: string;
}

/** A User with the role `admin`, by the tokens of a Session: its own Site. */
export interface AdminCaller {
  readonly kind: "admin";
  readonly siteId: string;
  /** The address or username that it has signed in with. */
  readonly name: string;
  /** Whether a second factor is asked for where the login has to be proved anew. */
  readonly mfaEnabled: boolean;
  readonly tokens: Tokens;
}

/** The tokens of an admin's Session. */
export interface Tokens {
  readonly accessToken: string;
  readonly accessTokenExpireMs: number;
  readonly refreshToken: string;
}
