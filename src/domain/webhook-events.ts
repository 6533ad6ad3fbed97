import type { UserChange } from "../model/change.ts";
import type { SiteId, WebhookId } from "../model/id.ts";
import type { DeliveryPlace } from "../model/webhook.ts";

/** What a webhook's request tells. */
export interface WebhookEvent extends DeliveryPlace {
  readonly webhookId: WebhookId;
  readonly siteId: SiteId;
  /** When the change was made, or a test sent. */
  readonly time: Date;
  /** The Change before it that passes the webhook's filter; 0: there is none. */
  readonly previousPosition: number;
  /** The fields of User that are posted; empty: all. */
  readonly userFields: readonly string[];
  /** Absent: a test. */
  readonly change: UserChange | undefined;
}
