import type { AccessTokenClaims } from "./access-token-claims.ts";
import type { ApiKeyId, SessionId, SiteId, UserId } from "./id.ts";

/** What a site key may do, as it is stored and shown. */
export type Scope =
  | "auth"
  | "auth.tokens"
  | "users.read"
  | "users.write"
  | "sync"
  | "site.admin"
  | "peer";

/** All scopes, in the order of `access.proto`. */
export const SCOPES: readonly Scope[] = [
  "auth",
  "auth.tokens",
  "users.read",
  "users.write",
  "sync",
  "site.admin",
  "peer",
];

/** Whoever runs Signet, by an operator key. */
export interface OperatorCaller {
  readonly kind: "operator";
  /** Absent: the key that the environment gives. */
  readonly keyId?: ApiKeyId;
  /** Absent: never. */
  readonly expireTime?: Date | undefined;
}

/** A backend, by a site key. */
export interface SiteKeyCaller {
  readonly kind: "site_key";
  readonly siteId: SiteId;
  readonly keyId: ApiKeyId;
  readonly scopes: readonly Scope[];
  /** The fields of User that it may see; empty: all. */
  readonly userFields: readonly string[];
  readonly expireTime: Date | undefined;
}

/** A User, by access token. */
export interface UserCaller {
  readonly kind: "user";
  readonly siteId: SiteId;
  readonly userId: UserId;
  readonly sessionId: SessionId;
  readonly roles: readonly string[];
  /** The claims of the access token itself. */
  readonly token: AccessTokenClaims;
}

/** Who calls, as proved by the credential alone. */
export type Caller = { readonly kind: "anonymous" } | OperatorCaller | SiteKeyCaller | UserCaller;

/** The end user's device, as far as it is known. */
export interface Client {
  /** Text form of an IPv4 or IPv6 address; empty: unknown. */
  readonly ip: string;
  readonly userAgent: string;
  /** What the app keeps on the device; absent: nothing was passed on. */
  readonly deviceToken?: string;
}
