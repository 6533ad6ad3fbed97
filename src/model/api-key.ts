import type { Scope } from "./caller.ts";
import type { ApiKeyId, SiteId } from "./id.ts";

/** A key for whoever runs Signet; its secret is kept as a hash only. */
export interface OperatorKey {
  readonly id: ApiKeyId;
  readonly label: string;
  readonly createTime: Date;
  readonly expireTime: Date | undefined;
  readonly lastUseTime: Date | undefined;
  readonly revokeTime: Date | undefined;
}

/** A key by which a backend of a Site calls. */
export interface ApiKey extends OperatorKey {
  readonly siteId: SiteId;
  readonly scopes: readonly Scope[];
  /** The fields of User that it may see; empty: all. */
  readonly userFields: readonly string[];
}

/** Which keys a list holds: a page of them, the newest first. */
export interface ApiKeyPage {
  readonly after: ApiKeyId | undefined;
  readonly limit: number;
  /** Those that work at this time; absent: also those that are revoked or have expired. */
  readonly activeAt: Date | undefined;
}
