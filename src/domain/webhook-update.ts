import type { Caller } from "../model/caller.ts";
import { Failure } from "../model/failure.ts";
import type { Webhook, WebhookSettings, WebhookState } from "../model/webhook.ts";
import { findSiteHead } from "../store/changes.ts";
import type { Queryable } from "../store/sql.ts";
import {
  dropFiltered,
  giveUpPending,
  hurryPending,
  moveQueue,
  orderTurns,
} from "../store/webhook-deliveries.ts";
import type { WebhookRef } from "../store/webhook-work.ts";
import { clearFailure, lastPassingBefore, updateWebhook as store } from "../store/webhooks.ts";
import { recordAct } from "./audit.ts";
import { grantFields } from "./key-grants.ts";
import { forEachPart } from "./webhook-parts.ts";
import { checkUrl, lockForChange, requireWebhook, type WebhookDeps } from "./webhooks.ts";

/** What is asked for: settings that are present are changed. */
export interface WebhookChange {
  readonly expectedVersion: number | undefined;
  readonly settings: Partial<WebhookSettings>;
  readonly enabled: boolean | undefined;
  /** Whether to go on at the head, giving up what waits. */
  readonly skipBacklog: boolean;
}

/**
 * Changes a webhook, for waiting deliveries too: those that do not pass a new filter are dropped.
 *
 * @throws {Failure} `site_not_found`, `webhook_not_found`, `version_mismatch`; `invalid_field` for
 *   an address that is not called; `access_denied` where a key would give more than it sees;
 *   `credential_invalid`.
 */
export async function updateWebhook(
  deps: WebhookDeps,
  caller: Caller,
  ref: WebhookRef,
  change: WebhookChange,
): Promise<Webhook> {
  const { siteId } = ref;
  const { settings } = change;
  await deps.sites.get(siteId);
  if (settings.url !== undefined) checkUrl(deps, caller, settings.url);
  return await deps.db.inSite(siteId, async (tx) => {
    const now = deps.clock.now();
    await lockForChange(tx, caller, ref);
    const before = await requireWebhook(tx, ref);
    requireVersion(before, change.expectedVersion);
    const state = stateAfter(before.state, change.enabled);
    const after = {
      ...before,
      ...settings,
      userFields: fieldsAfter(caller, before, settings),
      state,
    };
    const fields = changedFields(before, after);
    if (fields.length > 0) {
      await store(tx, siteId, after, now);
      const details = { fields };
      await recordAct(
        tx,
        siteId,
        caller,
        { kind: "webhook.updated", subjectId: ref.id, details },
        now,
      );
    }
    if (settings.kinds) await refilter(tx, ref, settings.kinds, now);
    if (change.skipBacklog) await skip(tx, ref, after, now);
    if (change.enabled) await hurry(tx, ref, now);
    return await requireWebhook(tx, ref);
  });
}

function requireVersion({ version }: Webhook, expected: number | undefined): void {
  if (expected === undefined || expected === version) return;
  throw new Failure("version_mismatch", { version: String(version) });
}

function stateAfter(before: WebhookState, enabled: boolean | undefined): WebhookState {
  if (enabled === undefined) return before;
  if (enabled) return "enabled";
  return before === "enabled" ? "disabled" : before;
}

/** Who redirects a webhook gets what it posts, and must be allowed to see all of that. */
function fieldsAfter(caller: Caller, before: Webhook, settings: Partial<WebhookSettings>) {
  if (settings.userFields) return grantFields(caller, settings.userFields);
  if (settings.url === undefined) return before.userFields;
  const granted = grantFields(caller, before.userFields);
  if (granted.length > before.userFields.length) throw new Failure("access_denied");
  return granted;
}

const FIELDS = { url: "url", label: "label", kinds: "kinds", userFields: "user_fields" } as const;

function changedFields(before: Webhook, after: Pick<Webhook, keyof typeof FIELDS | "state">) {
  const names = Object.keys(FIELDS) as (keyof typeof FIELDS)[];
  const changed = names
    .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map((name): string => FIELDS[name]);
  return before.state === after.state ? changed : [...changed, "enabled"];
}

async function refilter(
  tx: Queryable,
  ref: WebhookRef,
  kinds: WebhookSettings["kinds"],
  now: Date,
): Promise<void> {
  await forEachPart(tx, ref, (part) => dropFiltered(tx, ref, kinds, part));
  await forEachPart(tx, ref, (part) => orderTurns(tx, ref, part, now));
}

async function skip(
  tx: Queryable,
  ref: WebhookRef,
  { kinds }: Pick<WebhookSettings, "kinds">,
  now: Date,
): Promise<void> {
  const { position: queuedPosition } = await findSiteHead(tx, ref.siteId);
  const lastPosition = await lastPassingBefore(tx, ref.siteId, kinds, queuedPosition + 1);
  await forEachPart(tx, ref, (part) => giveUpPending(tx, ref, part, now));
  await moveQueue(tx, ref, { queuedPosition, lastPosition });
}

async function hurry(tx: Queryable, ref: WebhookRef, now: Date): Promise<void> {
  await forEachPart(tx, ref, (part) => hurryPending(tx, ref, part, now));
  await clearFailure(tx, ref.siteId, ref.id);
}
