import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { readAppTableName } from "../client/link-names.ts";
import { type AnswerOptions, addCommand } from "./answer.ts";
import { UsageError } from "./context.ts";
import { readGivenName } from "./link-naming.ts";
import { databaseOption } from "./mirror-database.ts";

/** How a table of an app is to be read: each may be given by an option or in a file. */
export interface LinkMapping {
  /** `schema.table`; without a schema, of `public`. */
  readonly table?: string;
  readonly idColumn?: string;
  readonly emailColumn?: string;
  /** True, or any time at all: the app has verified the address. */
  readonly verifiedColumn?: string;
  /** Whether the app has verified every address. */
  readonly emailsVerified?: boolean;
  readonly usernameColumn?: string;
  readonly hashColumn?: string;
  readonly nameColumn?: string;
  /** What becomes the User's external id; default: the id. */
  readonly externalIdColumn?: string;
  readonly externalIdPrefix?: string;
  /** True, or any time at all: the account is disabled. */
  readonly disabledColumn?: string;
  /** Anything but true: the account is disabled. */
  readonly activeColumn?: string;
  /** The column that holds the User's id. */
  readonly linkColumn?: string;
  /** The Mirror in the same database that the column refers to; default: if there is one. */
  readonly mirror?: string;
  /** Whether the column refers to the Mirror by a foreign key. */
  readonly foreignKey?: boolean;
  /** What Users who come from the table have as their origin. */
  readonly source?: string;
  /** Where it is written down what was done; default: the table's name and `_link_log`. */
  readonly logTable?: string;
  readonly unreadableHashes?: UnreadableHashes;
}

/** What becomes of a row whose hash Signet cannot read: left alone, or linked without it. */
export type UnreadableHashes = "skip" | "reset";

/** What all link commands take. */
export interface LinkOptions extends LinkMapping, AnswerOptions {
  readonly to: string;
  readonly site?: string;
  readonly mapping?: string;
}

/** A mapping with its defaults, whose names are well formed. */
export type CompleteMapping = LinkMapping &
  Required<
    Pick<LinkMapping, "table" | "idColumn" | "linkColumn" | "externalIdPrefix" | "foreignKey"> &
      Pick<LinkMapping, "emailsVerified" | "source" | "logTable" | "unreadableHashes">
  >;

const BOOLEANS: readonly string[] = ["emailsVerified", "foreignKey"];
const TEXTS: readonly string[] = [
  ...["table", "idColumn", "emailColumn", "verifiedColumn", "usernameColumn", "hashColumn"],
  ...["nameColumn", "externalIdColumn", "externalIdPrefix", "disabledColumn", "activeColumn"],
  ...["linkColumn", "mirror", "source", "logTable", "unreadableHashes"],
];

/** Adds a link command with the options that they share. */
export function addLinkCommand(
  parent: Command,
  name: string,
  about: { readonly description: string; readonly examples: readonly string[] },
): Command {
  return addCommand(parent, name, about)
    .addOption(databaseOption("--to <url>").makeOptionMandatory())
    .option("--site <id>", "the Site; not needed with a site key")
    .option("--mapping <file>", "a JSON file with any of the options below, as idColumn and so on")
    .option("--table <name>", "the app's table of users, as schema.table")
    .option("--id-column <name>", "what names a row (default: id)")
    .option("--email-column <name>", "the address (default: email, if there is one)")
    .option("--link-column <name>", "what holds the User's id (default: auth_user_id)")
    .option("--mirror <table>", "the mirror in the same database (default: public.signet_users)")
    .option("--no-foreign-key", "do not let the column refer to the mirror")
    .option("--log-table <name>", "where each row is logged (default: <table>_link_log)");
}

/** Adds the options that say what of a row goes to Signet. */
export function addRowOptions(command: Command): Command {
  return command
    .option("--username-column <name>", "a name to sign in with besides the address")
    .option("--hash-column <name>", "the hash of the password")
    .option("--name-column <name>", "the name to show")
    .option("--external-id-column <name>", "the User's external id (default: the id)")
    .option("--external-id-prefix <text>", "put before it, where several apps share a Site")
    .option("--verified-column <name>", "true or a time: the address is verified")
    .option("--emails-verified", "answer for it that the app has verified every address")
    .option("--disabled-column <name>", "true or a time: the account is disabled")
    .option("--active-column <name>", "anything but true: the account is disabled")
    .option("--source <name>", "the origin of new Users (default: the table)")
    .addOption(
      new Option(
        "--unreadable-hashes <rule>",
        "leave rows alone whose hash cannot be read (skip, the default), or have a new " +
          "password set (reset)",
      ).choices(["skip", "reset"]),
    );
}

/**
 * Puts together what options and file say; options go first.
 *
 * @throws {UsageError} where the file is no mapping, or something does not fit.
 */
export function readMapping(options: LinkOptions): CompleteMapping {
  const file = options.mapping === undefined ? {} : readMappingFile(options.mapping);
  // Commander gives `true` where --no-foreign-key is not given, which is no word of the user's.
  const { foreignKey, ...given } = options;
  const mapping: LinkMapping = { ...file, ...given, ...(foreignKey === false && { foreignKey }) };
  const { table } = mapping;
  if (!table) throw new UsageError("give --table, or a --mapping that names one");
  if (mapping.disabledColumn && mapping.activeColumn) {
    throw new UsageError("give --disabled-column or --active-column, not both");
  }
  if (mapping.verifiedColumn && mapping.emailsVerified) {
    throw new UsageError("give --verified-column or --emails-verified, not both");
  }
  const name = readGivenName(() => readAppTableName(table));
  const { idColumn = "id", linkColumn = "auth_user_id", externalIdPrefix = "" } = mapping;
  return {
    ...mapping,
    table,
    idColumn,
    linkColumn,
    externalIdPrefix,
    foreignKey: mapping.foreignKey ?? true,
    emailsVerified: mapping.emailsVerified ?? false,
    source: mapping.source ?? `${name.schema}.${name.table}`,
    logTable: mapping.logTable ?? `"${quoted(name.schema)}"."${quoted(name.table)}_link_log"`,
    unreadableHashes: mapping.unreadableHashes ?? "skip",
  };
}

function quoted(name: string): string {
  return name.replaceAll('"', '""');
}

function readMappingFile(path: string): LinkMapping {
  const mapping = parseObject(path);
  for (const [name, value] of Object.entries(mapping)) {
    const wanted = BOOLEANS.includes(name) ? "boolean" : "string";
    if (!TEXTS.includes(name) && wanted === "string") {
      throw new UsageError(`${path} has "${name}", which is none of: ${TEXTS.join(", ")}`);
    }
    if (typeof value !== wanted) throw new UsageError(`"${name}" in ${path} must be a ${wanted}`);
  }
  const rule = mapping.unreadableHashes;
  if (rule !== undefined && rule !== "skip" && rule !== "reset") {
    throw new UsageError(`"unreadableHashes" in ${path} must be skip or reset`);
  }
  return mapping as LinkMapping;
}

function parseObject(path: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new UsageError(`${path} cannot be read as JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError(`${path} must hold a JSON object`);
  }
  return value as Readonly<Record<string, unknown>>;
}
