import type { WebhookEvent } from "../../gen/signet/v1/change_pb.ts";
import type { User } from "../../gen/signet/v1/user_pb.ts";
import type { MirrorStorage } from "./mirror-storage.ts";
import { type ReceivedWebhook, type VerifiedWebhook, verifyWebhook } from "./webhook.ts";
import { createWebhookGaps, type WebhookGap } from "./webhook-gaps.ts";

/** Where the events of a webhook go. */
export interface WebhookHandlerOptions<Transaction> {
  /** The secret of the webhook, `whsec_…`; while it is replaced, both. */
  readonly secrets: readonly string[];
  /** What is fed: that of a Mirror, whose deleted Users stay as tombstones. */
  readonly storage: MirrorStorage<Transaction>;
  /** The fields that the webhook posts; default: all. */
  readonly userFields?: readonly string[] | undefined;
  /** As in UserMirrorOptions. */
  readonly onCreate?:
    | ((transaction: Transaction, users: readonly User[]) => Promise<void>)
    | undefined;
  /**
   * Called when events are missing: the one before an event has not come within `gapSeconds`, or
   * Signet was restored. Compare with the Site then, as by `UserMirror.reconcile()`; what it throws
   * has it called again. A handler that was just made does not know what was seen before, and so
   * calls it once.
   */
  readonly onGap?: ((gap: WebhookGap) => Promise<void>) | undefined;
  /** Default 60. */
  readonly gapSeconds?: number | undefined;
}

/** Takes in the requests of one webhook. */
export interface WebhookHandler {
  /**
   * Verifies a request and applies its event by version, so that one that comes again, or late,
   * changes nothing. Answer with 204 once it resolves.
   *
   * @throws {WebhookVerificationError} for a request that is not Signet's: answer with 400.
   * @throws what the storage throws: answer with 500, and it comes again.
   */
  handle(received: ReceivedWebhook): Promise<VerifiedWebhook>;
  /** Forgets what it waits for. */
  close(): void;
}

const GAP_SECONDS = 60;

/** Makes a handler that feeds a Mirror's storage from a webhook; see {@link WebhookHandler}. */
export function createWebhookHandler<Transaction>(
  options: WebhookHandlerOptions<Transaction>,
): WebhookHandler {
  const { secrets, storage, onCreate, onGap, userFields = [] } = options;
  // A tombstone is what keeps an event that comes late from bringing its User back.
  const rules = { tombstones: "keep", onCreate } as const;
  const scope = [...userFields].sort().join(",");
  const gaps = createWebhookGaps((options.gapSeconds ?? GAP_SECONDS) * 1_000, onGap);

  async function apply({ epoch, change }: WebhookEvent): Promise<void> {
    if (change?.user) await storage.merge([change.user], { epoch, scope }, rules);
  }

  return {
    async handle(received) {
      const verified = verifyWebhook(received, { secrets });
      await apply(verified.event);
      if (verified.event.change) gaps.note(verified.event);
      return verified;
    },
    close: gaps.close,
  };
}
