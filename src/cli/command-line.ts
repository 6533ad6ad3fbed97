import { Command, CommanderError } from "commander";
import { addAuditCommands } from "./audit-commands.ts";
import { addCompletionCommand } from "./completion-command.ts";
import { CheckFailed, type Context, UsageError } from "./context.ts";
import { addDoctorCommand } from "./doctor-command.ts";
import { describeError } from "./error-line.ts";
import { flagsOf } from "./field-flags.ts";
import { addKeyCommands } from "./key-commands.ts";
import { addLinkCommands } from "./link-commands.ts";
import { addMigrateCommand } from "./migrate-command.ts";
import { addPeerCommands } from "./peer-commands.ts";
import { chooseProfile } from "./profile-choice.ts";
import { addProfileCommands } from "./profile-commands.ts";
import { addSessionCommands } from "./session-commands.ts";
import { addSigningKeyCommands } from "./signing-key-commands.ts";
import { addSiteCommands } from "./site-commands.ts";
import { addSyncCommands } from "./sync-commands.ts";
import { addUserCommands } from "./user-commands.ts";
import { addWebhookCommands } from "./webhook-commands.ts";

/** How a command ended. */
const EXIT = { ok: 0, failure: 1, usage: 2 } as const;

const ABOUT = `
Environment:
  SIGNET_URL       the Signet to talk to (default: http://127.0.0.1:5678)
  SIGNET_KEY       an operator key, or a site key, which acts within its own Site
  SIGNET_PROFILE   the profile to take both from, where neither of them is set

Exit codes:
  0  done
  1  refused or failed; the last line says why
  2  called wrongly; nothing was done
  3  "link apply" has left rows that are not linked
  3, 4  "sync status --check" has found the sync degraded, or unhealthy
  5, 6  "audit verify" has found a broken link, or not the head that was expected

Examples:
  $ export SIGNET_KEY=$(cat .signet/operator-key)
  $ signet site create --name Blog --frontend-url https://blog.example.com
  $ signet key create --site <id> --label "blog backend" --scope auth --scope sync
  $ signet user get ada@example.com --site <id> --json
  $ source <(signet completion bash)
`;

/** Runs one command and returns the exit code of the process; it never throws. */
export async function runCommandLine(words: readonly string[], given: Context): Promise<number> {
  // A profile puts its values in place here, before the command reads them.
  const environment: Record<string, string | undefined> = { ...given.environment };
  const context: Context = { ...given, environment };
  let flags: readonly string[] = [];
  const root = createCommandLine(context).hook("preAction", async (_, command) => {
    flags = flagsOf(command);
    const { profile } = root.opts<GlobalOptions>();
    if (needsProfile(command)) Object.assign(environment, await chooseProfile(context, profile));
  });
  try {
    await root.parseAsync(words, { from: "user" });
    return EXIT.ok;
  } catch (error) {
    return report(error, context, flags);
  }
}

interface GlobalOptions {
  readonly profile?: string;
}

/** Commands that talk to no Signet must work with a file of profiles that does not. */
function needsProfile(command: Command): boolean {
  let group = command;
  while (group.parent?.parent) group = group.parent;
  return !["profile", "completion", "migrate"].includes(group.name());
}

function createCommandLine(context: Context): Command {
  const { print, note } = context.terminal;
  const root = new Command("signet")
    .description("Operates a Signet over its RPCs.")
    .option("--profile <name>", "take address and key from this profile: see signet profile")
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => print(text.trimEnd()),
      writeErr: (text) => note(text.trimEnd()),
      outputError: (text, write) => write(text.replace(/^error:/, "signet:")),
    })
    .addHelpText("after", ABOUT);
  addSiteCommands(root, context);
  addKeyCommands(root, context);
  addUserCommands(root, context);
  addSessionCommands(root, context);
  addSigningKeyCommands(root, context);
  addSyncCommands(root, context);
  addWebhookCommands(root, context);
  addPeerCommands(root, context);
  addAuditCommands(root, context);
  addLinkCommands(root, context);
  addDoctorCommand(root, context);
  addProfileCommands(root, context);
  addMigrateCommand(root, context);
  addCompletionCommand(root, context);
  nameOwnHelp(root, "signet");
  return root;
}

/** Whoever has called a command wrongly wants its help, and not that of the whole. */
function nameOwnHelp(command: Command, path: string): void {
  command.showHelpAfterError(`For help: ${path} --help`);
  for (const each of command.commands) nameOwnHelp(each, `${path} ${each.name()}`);
}

/** Commander has printed its own errors already, and the help that it ends with. */
function report(
  error: unknown,
  { terminal, environment }: Context,
  flags: readonly string[],
): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  terminal.note(`signet: ${describeError(error, environment, flags)}`);
  if (error instanceof CheckFailed) return error.exitCode;
  return error instanceof UsageError ? EXIT.usage : EXIT.failure;
}
