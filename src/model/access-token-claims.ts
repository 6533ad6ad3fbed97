import type { SessionId, UserId } from "./id.ts";

/** What an access token says. Its times are whole seconds. */
export interface AccessTokenClaims {
  /** The Site, as `{public URL}/sites/{id}`: claim `iss`. */
  readonly issuer: string;
  /** Whom the token is for, at least one: claim `aud`. */
  readonly audiences: readonly string[];
  readonly userId: UserId;
  readonly sessionId: SessionId;
  /** The Generation of the User; a token of an older one is void. */
  readonly generation: number;
  readonly roles: readonly string[];
  /** When the User last proved who they are. */
  readonly authTime: Date;
  /** How they proved it (RFC 8176), such as `pwd` and `otp`: claim `amr`. */
  readonly authMethods: readonly string[];
  /** The token's own id: claim `jti`. */
  readonly tokenId: string;
  readonly issueTime: Date;
  readonly expireTime: Date;
}
