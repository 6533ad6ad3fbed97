import { AccessError, toAccessError } from "./access-error.ts";
import type { TokenVerifier } from "./token-verifier.ts";
import type { VerifiedToken } from "./verified-token.ts";

/** Which requests are let through. */
export interface AccessOptions {
  /** What checks their access tokens; see `tokenVerifier` of the client. */
  readonly verifier: TokenVerifier;
  /**
   * Roles of which a User has to have one; default: none is asked for. They are those that the
   * User had when the token was made: a change of roles ends it.
   */
  readonly roles?: readonly string[] | undefined;
  /**
   * Lets requests without a token through, too; default false. A token that is not good is
   * refused all the same.
   */
  readonly optional?: boolean | undefined;
}

/** Tells who sends a request, by its `authorization` header; undefined: nobody who says so. */
export type AccessCheck = (authorization: Header) => Promise<VerifiedToken | undefined>;

type Header = string | null | undefined;

/**
 * Makes the check that all middleware shares. It throws an AccessError where a request is not to
 * be let through.
 *
 * @throws {TypeError} where no request could be let through: an empty list of roles, or roles
 *   that those without a token would have to have.
 */
export function createAccessCheck({ verifier, roles, optional }: AccessOptions): AccessCheck {
  if (roles && (roles.length === 0 || optional)) {
    throw new TypeError("roles must name at least one, and cannot be asked of optional tokens");
  }
  return async (authorization) => {
    const token = readBearerToken(authorization);
    if (token === undefined) {
      if (optional) return undefined;
      throw new AccessError("no_token");
    }
    const verified = await verify(verifier, token);
    if (roles && !roles.some((role) => verified.roles.includes(role))) {
      throw new AccessError("role");
    }
    return verified;
  };
}

async function verify(verifier: TokenVerifier, token: string): Promise<VerifiedToken> {
  try {
    return await verifier.verify(token);
  } catch (error) {
    throw toAccessError(error);
  }
}

/**
 * Returns the token of a header (RFC 6750 §2.1; the scheme in any case, RFC 9110 §11.1); undefined
 * if there is none, or it is for something else, such as a password.
 */
function readBearerToken(authorization: Header): string | undefined {
  return /^bearer +(.*)$/i.exec(authorization ?? "")?.[1];
}
