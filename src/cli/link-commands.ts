import type { Command } from "commander";
import type { Context } from "./context.ts";
import { addLinkApply } from "./link-apply-command.ts";
import { addLinkPlan } from "./link-plan-command.ts";
import { addLinkRollback } from "./link-rollback-command.ts";
import { addLinkVerify } from "./link-verify-command.ts";

/** Adds `signet link …`. */
export function addLinkCommands(root: Command, context: Context): void {
  const link = root
    .command("link")
    .description("Links an app's own table of users to the Users of a Site.");
  addLinkPlan(link, context);
  addLinkApply(link, context);
  addLinkVerify(link, context);
  addLinkRollback(link, context);
}
