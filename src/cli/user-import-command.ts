import { createWriteStream, type WriteStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { type Command, Option } from "commander";
import { ErrorReasonSchema } from "../../gen/signet/v1/error_pb.ts";
import {
  ImportMode,
  ImportModeSchema,
  ImportOutcome,
  type ImportResult,
} from "../../gen/signet/v1/user_service_pb.ts";
import { type AnswerOptions, addCommand } from "./answer.ts";
import { withClient } from "./connection.ts";
import { CheckFailed, type Context, UsageError } from "./context.ts";
import { enumWords } from "./enum-words.ts";
import { describeError } from "./error-line.ts";
import { parseFirebaseConfig } from "./import-firebase.ts";
import { type FileRow, FORMATS, type Format, readFileRows } from "./import-formats.ts";
import { runImport } from "./import-run.ts";
import { enumOption, numberOption, present } from "./options.ts";
import { createProgress } from "./progress.ts";
import { SITE_FLAGS } from "./user-options.ts";

interface ImportCommandOptions extends AnswerOptions {
  readonly site?: string;
  readonly format: Format;
  readonly mode?: ImportMode;
  readonly source?: string;
  readonly dryRun?: true;
  readonly fromLine: number;
  readonly errors?: string;
  readonly firebaseConfig?: string;
}

/** How many refused rows are shown; a file takes them all. */
const SHOWN_MAX = 20;

/** Adds `signet user import`. */
export function addUserImport(user: Command, context: Context): void {
  addCommand(user, "import", {
    description: "Imports Users from a file, with the password hashes that they have there.",
    examples: [
      "signet user import users.ndjson --site <id> --dry-run",
      "signet user import users.csv --site <id> --mode update --errors refused.ndjson",
      "signet user import auth0.ndjson --site <id> --format auth0",
      "signet user import users.json --site <id> --format firebase --firebase-config hash.txt",
    ],
  })
    .argument("<file>", "NDJSON, CSV, or the file that the other system has exported")
    .option(...SITE_FLAGS)
    .addOption(
      new Option("--format <system>", "the system that wrote the file")
        .choices(FORMATS)
        .default("signet"),
    )
    .addOption(
      enumOption(
        "--mode <word>",
        "what becomes of Users who exist, else keep",
        enumWords(ImportModeSchema),
      ),
    )
    .option("--source <name>", "kept as the origin of the Users, else the format")
    .option("--dry-run", "check everything and write nothing")
    .addOption(numberOption("--from-line <n>", "pass over what comes before").default(1))
    .option("--errors <file>", "write the rows that are refused to a file, as NDJSON")
    .option("--firebase-config <file>", "the password hash parameters of the Firebase project")
    .action((path: string, options: ImportCommandOptions) => importUsers(context, path, options));
}

async function importUsers(
  context: Context,
  path: string,
  options: ImportCommandOptions,
): Promise<void> {
  const { terminal, environment } = context;
  const { format, site, mode = ImportMode.KEEP, source = format, dryRun = false } = options;
  const size = await sizeOf(path);
  const firebase = await readFirebase(options);
  const file = readFileRows(path, format, options.fromLine);
  const report = createReport(context, options);
  const progress = createProgress(terminal, dryRun ? "checked" : "imported");
  const showProgress = (): void => {
    const part = Math.max(file.bytesRead(), 1) / Math.max(size, 1);
    progress(report.rows(), Math.round(report.rows() / Math.min(part, 1)));
  };
  try {
    await withClient(context, (client) =>
      runImport({
        client,
        options: { ...present({ siteId: site, firebase }), mode, source, dryRun },
        rows: file.rows,
        onResult(row, result) {
          report.result(row, result);
          if (report.rows() % 200 === 0) showProgress();
        },
        onRefusal: (row, field, problem) => report.refusal(row, "", field, problem),
        onRetry: (error, delayMs) =>
          terminal.note(
            `${describeError(error, environment)}; again in ${(delayMs / 1_000).toFixed(1)} s`,
          ),
      }),
    );
  } catch (error) {
    const line = report.nextLine();
    if (line) terminal.note(`go on with --from-line ${line}: what comes before is done`);
    throw error;
  } finally {
    terminal.show("");
    await report.close();
  }
  report.summarize();
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch((error: unknown) => {
    throw new UsageError(
      `${path} cannot be read: ${error instanceof Error ? error.message : error}`,
    );
  });
  return found.size;
}

async function readFirebase({ format, firebaseConfig }: ImportCommandOptions) {
  if (firebaseConfig !== undefined)
    return parseFirebaseConfig(await readFile(firebaseConfig, "utf8"));
  if (format === "firebase") throw new UsageError("--format firebase needs --firebase-config");
  return undefined;
}

/** Counts what became of rows, and tells of those that were refused. */
function createReport({ terminal }: Context, { errors, json, dryRun }: ImportCommandOptions) {
  const counts = { created: 0, updated: 0, unchanged: 0, refused: 0 };
  let nextLine: number | undefined;
  // Its records may hold password hashes.
  const file = errors === undefined ? undefined : createWriteStream(errors, { mode: 0o600 });

  function refuse(row: FileRow, reason: string, field: string, problem: string): void {
    counts.refused += 1;
    const { line, record } = row;
    file?.write(`${JSON.stringify({ line, reason, field, problem, record })}\n`);
    if (counts.refused <= SHOWN_MAX) {
      const words = [field, problem].filter(Boolean).join(" ");
      terminal.note(`line ${line}: ${words}${reason && ` (${reason})`}`);
    }
    if (counts.refused === SHOWN_MAX + 1) terminal.note("more rows are refused; see --errors");
  }

  return {
    rows: () => counts.created + counts.updated + counts.unchanged + counts.refused,
    nextLine: () => nextLine,
    refusal: refuse,
    result(row: FileRow, { outcome, error }: ImportResult): void {
      nextLine = row.line; // Others may begin in the same line; that one is unchanged then.
      const name = OUTCOMES[outcome];
      if (name !== undefined) counts[name] += 1;
      else {
        const { field = "", problem = "", ...others } = error?.metadata ?? {};
        const reason = ErrorReasonSchema.value[error?.reason ?? 0]?.localName ?? "";
        refuse(row, reason, field, problem || Object.values(others).join(", "));
      }
    },
    close: async () => await closeFile(file),
    summarize(): void {
      const { created, updated, unchanged, refused } = counts;
      if (created + updated + unchanged + refused === 0) {
        terminal.note("no User was found: is it the right file, and the right --format?");
      }
      const done = `${created} created, ${updated} updated, ${unchanged} unchanged`;
      const words = `${done}, ${refused} refused`;
      if (json)
        terminal.print(JSON.stringify({ ...counts, dryRun: dryRun ?? false }, undefined, 2));
      else terminal.print(dryRun ? `would be: ${words}` : words);
      const rows = refused === 1 ? "1 row was" : `${refused} rows were`;
      if (refused > 0) throw new CheckFailed(`${rows} refused`, 1);
    },
  };
}

const OUTCOMES: Partial<Record<ImportOutcome, "created" | "updated" | "unchanged">> = {
  [ImportOutcome.CREATED]: "created",
  [ImportOutcome.UPDATED]: "updated",
  [ImportOutcome.UNCHANGED]: "unchanged",
};

async function closeFile(file: WriteStream | undefined): Promise<void> {
  if (!file) return;
  file.end();
  await finished(file);
}
