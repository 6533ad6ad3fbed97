import type { Command } from "commander";
import type { Context } from "./context.ts";
import { addSyncMirror } from "./sync-mirror-command.ts";
import { addSyncReconcile } from "./sync-reconcile-command.ts";
import { addSyncStatus } from "./sync-status-command.ts";
import { addSyncWatch } from "./sync-watch-command.ts";

/** Adds `signet sync …`. */
export function addSyncCommands(root: Command, context: Context): void {
  const sync = root.command("sync").description("Follows a Site, and tells what follows it.");
  addSyncStatus(sync, context);
  addSyncWatch(sync, context);
  addSyncMirror(sync, context);
  addSyncReconcile(sync, context);
}
