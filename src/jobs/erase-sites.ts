import type { Logger } from "pino";
import type { Deps } from "../domain/deps.ts";
import { eraseClosedSites } from "../domain/site-erasure.ts";

/** Deletes the Users of closed Sites, until none is left or the process stops. */
export async function eraseSites(deps: Deps, log: Logger, signal?: AbortSignal): Promise<void> {
  const { sites, users } = await eraseClosedSites(deps, signal);
  if (sites + users > 0) log.info({ sites, users }, "Users of deleted Sites deleted");
}
