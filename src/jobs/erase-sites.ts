import type { Logger } from "pino";
import type { Deps } from "../domain/deps.ts";
import { removeLeftWebhooks } from "../domain/left-webhooks.ts";
import { eraseClosedSites } from "../domain/site-erasure.ts";

/** Deletes the Users of closed Sites and what else is left of them, unless the process stops. */
export async function eraseSites(deps: Deps, log: Logger, signal?: AbortSignal): Promise<void> {
  const { sites, users } = await eraseClosedSites(deps, signal);
  if (sites + users > 0) log.info({ sites, users }, "Users of deleted Sites deleted");
  const webhooks = await removeLeftWebhooks(deps, signal);
  if (webhooks > 0) log.info({ webhooks }, "webhooks of deleted Sites removed");
}
