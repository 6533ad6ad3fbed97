import type { Command } from "commander";
import { pino } from "pino";
import { migrate } from "../store/migrate.ts";
import { APP_ROLE, MIGRATOR_ROLE, prepareRoles } from "../store/roles.ts";
import { type Context, UsageError } from "./context.ts";

interface MigrateOptions {
  readonly init?: true;
}

const ABOUT = `
Environment:
  DATABASE_OWNER_URL   where to migrate, as the role ${MIGRATOR_ROLE}
  DATABASE_ADMIN_URL   for --init: the database, as an administrator

Examples:
  $ signet migrate --init >> .env   # prepare the roles once; the URLs hold their passwords
  $ signet migrate
`;

/** Adds `signet migrate`, the one command that needs no running Signet. */
export function addMigrateCommand(root: Command, context: Context): void {
  root
    .command("migrate")
    .description("Brings the schema of the database up to date, or prepares the database.")
    .option("--init", "prepare roles and database, and print the URLs that are not set yet")
    .addHelpText("after", ABOUT)
    .action((options: MigrateOptions) =>
      options.init ? initialize(context) : migrateSchema(context),
    );
}

async function migrateSchema({ environment, terminal }: Context): Promise<void> {
  const ownerUrl = readUrl(environment, "DATABASE_OWNER_URL")?.href;
  if (!ownerUrl) throw new UsageError("DATABASE_OWNER_URL is not set: see signet migrate --help");
  const log = pino({ level: "info" }, { write: (line) => terminal.note(line.trimEnd()) });
  await migrate({ ownerUrl, log });
  terminal.print("The schema is up to date.");
}

/**
 * Prepares roles and database. Where a URL is set already, its role gets the password in it, so
 * that a deployment can name all of them beforehand and run this at each start.
 */
async function initialize({ environment, terminal }: Context): Promise<void> {
  const adminUrl = readUrl(environment, "DATABASE_ADMIN_URL")?.href;
  if (!adminUrl) throw new UsageError("DATABASE_ADMIN_URL is not set: see signet migrate --help");
  const app = passwordOf(environment, "DATABASE_URL", APP_ROLE);
  const migrator = passwordOf(environment, "DATABASE_OWNER_URL", MIGRATOR_ROLE);
  const { url, directUrl, ownerUrl } = await prepareRoles(adminUrl, {
    ...(app === undefined ? {} : { app }),
    ...(migrator === undefined ? {} : { migrator }),
  });
  if (app === undefined) {
    terminal.print(`DATABASE_URL=${url}`);
    terminal.print(`DATABASE_DIRECT_URL=${directUrl}`);
  }
  if (migrator === undefined) terminal.print(`DATABASE_OWNER_URL=${ownerUrl}`);
  terminal.note("The roles are ready.");
}

/** Reads the password that a URL gives to its role; undefined if the URL is not set. */
function passwordOf(
  environment: Context["environment"],
  name: string,
  role: string,
): string | undefined {
  const url = readUrl(environment, name);
  if (!url) return undefined;
  if (decodeURIComponent(url.username) !== role) {
    throw new UsageError(`${name} must be of the role ${role}`);
  }
  if (url.password === "") throw new UsageError(`${name} must have the password of ${role}`);
  return decodeURIComponent(url.password);
}

/** No message holds the URL, which has a password in it. */
function readUrl(environment: Context["environment"], name: string): URL | undefined {
  const text = environment[name];
  if (!text) return undefined;
  const url = URL.parse(text);
  if (url && /^postgres(ql)?:$/.test(url.protocol)) return url;
  throw new UsageError(`${name} must be a postgres:// URL`);
}
