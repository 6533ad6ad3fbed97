import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Command, Option } from "commander";
import type { ExportedUser } from "../../gen/signet/v1/user_service_pb.ts";
import { namingLostConnection } from "../client/errors.ts";
import type { SignetClient } from "../client/index.ts";
import { addCommand } from "./answer.ts";
import { withClient } from "./connection.ts";
import { type Context, UsageError } from "./context.ts";
import { describeError } from "./error-line.ts";
import {
  createExportWriter,
  EXPORT_FORMATS,
  type ExportFormat,
  type ExportWriter,
} from "./export-rows.ts";
import { shapeOf } from "./import-file.ts";
import { createProgress } from "./progress.ts";
import { addFilter, type FilterOptions, requestOf } from "./user-list-commands.ts";

interface ExportOptions extends FilterOptions {
  readonly out: string;
  readonly format?: ExportFormat;
  readonly passwordHashes?: true;
  readonly guardFormulas?: true;
}

const ATTEMPTS_MAX = 10;
const DELAY_MS_MAX = 10_000;

/** Adds `signet user export`. */
export function addUserExport(user: Command, context: Context): void {
  const command = addCommand(user, "export", {
    description: "Writes Users to a file that `signet user import` reads.",
    examples: [
      "signet user export --site <id> --out users.ndjson",
      "signet user export --site <id> --out users.ndjson --password-hashes",
      "signet user export --out admins.csv --role admin",
      "signet user export --out sheet.csv --guard-formulas   # to be looked at, not imported",
    ],
  })
    .requiredOption("--out <file>", "the file to write; it is replaced")
    .addOption(
      new Option("--format <word>", "what to write; else as the name ends, else NDJSON").choices(
        EXPORT_FORMATS,
      ),
    )
    .option("--guard-formulas", "keep spreadsheets from running what CSV holds; not for imports")
    .option("--password-hashes", "with the hashes of the passwords; with an operator key alone");
  addFilter(command).action((options: ExportOptions) => exportUsers(context, options));
}

async function exportUsers(context: Context, options: ExportOptions): Promise<void> {
  const { terminal } = context;
  const writer = writerOf(options);
  const request = { ...requestOf(options), includePasswordHashes: options.passwordHashes ?? false };
  // It tells of persons, and may hold hashes.
  const file = createWriteStream(options.out, { mode: 0o600 });
  await once(file, "open");
  file.write(writer.head);
  const progress = createProgress(terminal, "exported");
  let count = 0;
  await withClient(context, async (client) => {
    const total = await countOrNothing(client, options);
    for await (const users of readAll(context, client, request)) {
      const text = users.map((user) => writer.lineOf(user)).join("");
      if (!file.write(text)) await once(file, "drain");
      count += users.length;
      progress(count, Math.max(total, count));
    }
  });
  terminal.show("");
  file.end();
  await finished(file);
  if (options.json) terminal.print(JSON.stringify({ exported: count }, undefined, 2));
  else terminal.print(`${count} exported`);
}

function writerOf({ out, format, passwordHashes, guardFormulas }: ExportOptions): ExportWriter {
  const chosen = format ?? (shapeOf(out, "ndjson") === "csv" ? "csv" : "ndjson");
  if (chosen === "csv" && passwordHashes) {
    throw new UsageError("--password-hashes needs NDJSON: CSV has no place for Signet's own");
  }
  if (chosen === "ndjson" && guardFormulas) throw new UsageError("--guard-formulas is for CSV");
  return createExportWriter(chosen, guardFormulas ?? false);
}

/** For the progress alone. */
async function countOrNothing({ users }: SignetClient, options: FilterOptions): Promise<number> {
  return await users.countUsers(requestOf(options)).then(
    ({ count }) => Number(count),
    () => 0,
  );
}

/** Reads to the end, over lost connections: each message says from where to go on. */
async function* readAll(
  { terminal, environment }: Context,
  { users }: SignetClient,
  request: ReturnType<typeof requestOf> & { readonly includePasswordHashes: boolean },
): AsyncGenerator<readonly ExportedUser[]> {
  let resumeToken = "";
  for (let losses = 0; ; ) {
    try {
      for await (const message of users.exportUsers({ ...request, resumeToken })) {
        yield message.users;
        resumeToken = message.resumeToken;
        losses = 0;
      }
      return;
    } catch (thrown) {
      const error = namingLostConnection(thrown, false);
      losses += 1;
      const isPassing = error instanceof ConnectError && error.code === Code.Unavailable;
      if (!isPassing || losses === ATTEMPTS_MAX) throw error;
      const delayMs = Math.min(100 * 2 ** losses, DELAY_MS_MAX);
      terminal.note(`${describeError(error, environment)}; again in ${delayMs / 1_000} s`);
      await sleep(delayMs);
    }
  }
}
