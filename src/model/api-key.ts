import type { Scope } from "./caller.ts";
import type { ApiKeyId, SiteId } from "./id.ts";

/** A key by which a backend calls; its secret is kept as a hash only. */
export interface ApiKey {
  readonly id: ApiKeyId;
  readonly siteId: SiteId;
  readonly label: string;
  readonly scopes: readonly Scope[];
  /** The fields of User that it may see; empty: all. */
  readonly userFields: readonly string[];
  readonly createTime: Date;
  readonly expireTime: Date | undefined;
  readonly lastUseTime: Date | undefined;
  readonly revokeTime: Date | undefined;
}
