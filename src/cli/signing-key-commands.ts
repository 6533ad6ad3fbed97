import type { Command } from "commander";
import {
  type RotateSigningKeyResponse,
  RotateSigningKeyResponseSchema,
  SigningKeyStateSchema,
} from "../../gen/signet/v1/site_service_pb.ts";
import { type AnswerOptions, addCommand, printAnswer } from "./answer.ts";
import { type ConfirmOptions, confirm, YES_FLAGS } from "./confirm.ts";
import { withClient } from "./connection.ts";
import { type Context, UsageError } from "./context.ts";
import { enumWords } from "./enum-words.ts";
import { layOutTable } from "./layout.ts";
import { present } from "./options.ts";
import { SIGNING_ALGORITHMS } from "./site-options.ts";
import { timeText } from "./values.ts";

interface KeyOptions extends AnswerOptions {
  readonly site?: string;
}

interface RotateOptions extends KeyOptions, ConfirmOptions {
  readonly current?: string;
  readonly withdraw?: true;
}

const STATES = enumWords(SigningKeyStateSchema);
/** The id of no key: a rotation of it does nothing, and answers with the keys that there are. */
const NO_KEY = "00000000-0000-7000-8000-000000000000";
const SITE = ["--site <id>", "the Site; not needed with a site key"] as const;

/** Adds `signet signing-key …`. */
export function addSigningKeyCommands(root: Command, context: Context): void {
  const signingKey = root
    .command("signing-key")
    .description("Shows and rotates the keys that sign the access tokens of a Site.");
  addList(signingKey, context);
  addRotate(signingKey, context);
}

function addList(signingKey: Command, context: Context): void {
  addCommand(signingKey, "list", {
    description: "Lists the signing keys of a Site: current, next, and those before.",
    examples: ["signet signing-key list --site <id>"],
  })
    .option(...SITE)
    .action(async (options: KeyOptions) => {
      const request = { ...present({ siteId: options.site }), currentKeyId: NO_KEY };
      const answer = await withClient(context, ({ sites }) => sites.rotateSigningKey(request));
      printAnswer(context, options, RotateSigningKeyResponseSchema, answer, layOutKeys);
    });
}

function addRotate(signingKey: Command, context: Context): void {
  addCommand(signingKey, "rotate", {
    description:
      "Makes the next key the current one, as soon as every cache can have it. Signet also does " +
      "so by itself. With --withdraw, for a key that has leaked, it does so at once, and " +
      "refuses all tokens of the keys before; nobody has to sign in again.",
    examples: [
      "signet signing-key rotate --site <id>",
      "signet signing-key rotate --site <id> --current <kid>   # does nothing the second time",
      "signet signing-key rotate --site <id> --withdraw --yes",
    ],
  })
    .option(...SITE)
    .option("--current <kid>", "the key to replace; nothing is done where it does not sign")
    .option("--withdraw", "refuse what the keys before have signed")
    .option(...YES_FLAGS)
    .action((options: RotateOptions) => rotate(context, options));
}

async function rotate(context: Context, options: RotateOptions): Promise<void> {
  const { site, current, withdraw } = options;
  if (current === "") throw new UsageError("--current is empty");
  if (withdraw) await confirm(context, "Refuse all access tokens made until now?", options);
  const request = present({ siteId: site, currentKeyId: current, withdraw });
  const answer = await withClient(context, ({ sites }) => sites.rotateSigningKey(request));
  printAnswer(context, options, RotateSigningKeyResponseSchema, answer, layOutKeys);
}

function layOutKeys({ signingKeys, scheduledTime }: RotateSigningKeyResponse): string {
  const table = layOutTable(
    ["id", "algorithm", "state", "published", "signs since", "leaves at"],
    signingKeys.map((key) => [
      key.id,
      SIGNING_ALGORITHMS.wordOf(key.algorithm),
      STATES.wordOf(key.state),
      timeText(key.publishTime),
      timeText(key.activateTime),
      timeText(key.retireTime),
    ]),
  );
  return scheduledTime
    ? `${table}\n\nThe next key signs from ${timeText(scheduledTime)} on.`
    : table;
}
