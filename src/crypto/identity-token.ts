import { signJws } from "./jws.ts";
import type { SigningKey } from "./signing-key.ts";

/** What an identity token says. Its times are whole seconds. */
export interface IdentityTokenClaims {
  readonly issuer: string;
  readonly audience: string;
  readonly userId: string;
  /** Empty: the User has no verified address. */
  readonly email: string;
  readonly roles: readonly string[];
  readonly issueTime: Date;
  readonly expireTime: Date;
}

/**
 * Signs what an app behind a proxy learns of the User, with the key of the User's Site.
 *
 * It is of type `identity+jwt` and names no Session, so that nobody who asks for an access token
 * takes it for one.
 */
export function signIdentityToken(key: SigningKey, claims: IdentityTokenClaims): string {
  const payload = {
    iss: claims.issuer,
    aud: claims.audience,
    sub: claims.userId,
    ...(claims.email !== "" && { email: claims.email }),
    roles: claims.roles,
    iat: Math.floor(claims.issueTime.getTime() / 1_000),
    exp: Math.floor(claims.expireTime.getTime() / 1_000),
  };
  return signJws(key, payload, "identity+jwt");
}
