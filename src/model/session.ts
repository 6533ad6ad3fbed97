import type { Client } from "./caller.ts";
import type { SessionId, SiteId, UserId } from "./id.ts";

/** What one login has started. */
export interface Session {
  readonly id: SessionId;
  readonly siteId: SiteId;
  readonly userId: UserId;
  readonly audiences: readonly string[];
  readonly client: Client;
  /** How the User proved who they are (RFC 8176). */
  readonly amr: readonly string[];
  readonly authTime: Date;
  readonly createTime: Date;
  readonly lastRefreshTime: Date;
  readonly idleExpireTime: Date;
  readonly absoluteExpireTime: Date;
  readonly endTime: Date | undefined;
}
