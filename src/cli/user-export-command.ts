import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { create, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Command } from "commander";
import { UserState } from "../../gen/signet/v1/user_pb.ts";
import { type ExportedUser, ImportRowSchema } from "../../gen/signet/v1/user_service_pb.ts";
import { namingLostConnection } from "../client/errors.ts";
import type { SignetClient } from "../client/index.ts";
import { addCommand } from "./answer.ts";
import { withClient } from "./connection.ts";
import type { Context } from "./context.ts";
import { describeError } from "./error-line.ts";
import { createProgress } from "./progress.ts";
import { addFilter, type FilterOptions, requestOf } from "./user-list-commands.ts";

interface ExportOptions extends FilterOptions {
  readonly out: string;
  readonly passwordHashes?: true;
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
      "signet user export --out admins.ndjson --role admin",
    ],
  })
    .requiredOption("--out <file>", "the file to write, as NDJSON; it is replaced")
    .option("--password-hashes", "with the hashes of the passwords; with an operator key alone");
  addFilter(command).action((options: ExportOptions) => exportUsers(context, options));
}

async function exportUsers(context: Context, options: ExportOptions): Promise<void> {
  const { terminal } = context;
  const request = { ...requestOf(options), includePasswordHashes: options.passwordHashes ?? false };
  // It tells of persons, and may hold hashes.
  const file = createWriteStream(options.out, { mode: 0o600 });
  await once(file, "open");
  const progress = createProgress(terminal, "exported");
  let count = 0;
  await withClient(context, async (client) => {
    const total = await countOrNothing(client, options);
    for await (const users of readAll(context, client, request)) {
      const text = users.map((user) => `${JSON.stringify(toRow(user))}\n`).join("");
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

/** A User as `signet user import` reads it. */
function toRow({ user, passwordHash }: ExportedUser) {
  const row = create(ImportRowSchema, {
    id: user?.id ?? "",
    externalId: user?.externalId ?? "",
    email: user?.email ?? "",
    emailVerified: user?.emailVerified ?? false,
    username: user?.username ?? "",
    displayName: user?.displayName ?? "",
    pictureUrl: user?.pictureUrl ?? "",
    locale: user?.locale ?? "",
    roles: user?.roles ?? [],
    disabled: user?.state === UserState.DISABLED,
    ...(user?.metadata && { metadata: user.metadata }),
    ...(user?.createTime && { createTime: user.createTime }),
    ...(passwordHash && { passwordHash }),
  });
  return toJson(ImportRowSchema, row);
}
