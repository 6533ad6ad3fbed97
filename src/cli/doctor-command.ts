import type { Command } from "commander";
import { createSignetClient, type SignetClient } from "../client/index.ts";
import { type AnswerOptions, addCommand } from "./answer.ts";
import { urlOf } from "./connection.ts";
import { CheckFailed, type Context, UsageError } from "./context.ts";
import { checkAddress } from "./doctor-address.ts";
import { checkKeys } from "./doctor-keys.ts";
import { checkMirror } from "./doctor-mirror.ts";

import { checkService } from "./doctor-service.ts";
import { checkHealth, checkKey } from "./doctor-signet.ts";
import { describeError } from "./error-line.ts";
import { type Finding, fail, layOutFindings, skip } from "./finding.ts";
import { databaseOption, type MirrorPlaceOptions, withMirrorPool } from "./mirror-database.ts";
import { listOption } from "./options.ts";

interface DoctorOptions extends AnswerOptions, MirrorPlaceOptions {
  readonly site?: string;
  readonly mirror?: string;
  readonly allowColumn?: string[];
  readonly deep?: true;
  readonly service?: true;
}

/** Adds `signet doctor`. */
export function addDoctorCommand(root: Command, context: Context): void {
  addCommand(root, "doctor", {
    description:
      "Checks a set-up: address, keys and clock; an app's mirror where one is named; and, where " +
      "a service runs, its configuration, database and mail. It changes nothing, and says what " +
      "to do about each finding.",
    examples: [
      "signet doctor",
      "signet doctor --service   # with the variables of the service, as in its .env",
      "signet doctor --mirror postgres://localhost/shop --table users",
    ],
  })
    .option("--site <id>", "the Site; not needed with a site key")
    .option("--service", "check what a service would start with here")
    .addOption(databaseOption("--mirror <url>"))
    .option("--table <name>", "its table of Users (default: public.signet_users)")
    .option("--revocations-table <name>", "its table of Revocations")
    .option("--deep", "read the content of each row, too, for what was altered by hand")
    .addOption(listOption("--allow-column <name>", "it looks like a secret, and is none"))
    .action((options: DoctorOptions) => examine(context, options));
}

/** @throws {CheckFailed} where a check has failed, after all are printed. */
async function examine(context: Context, options: DoctorOptions): Promise<void> {
  const findings = options.service ? await checkService(context.environment) : [];
  findings.push(...(await checkAddress(context)));
  const isThere = findings.every(({ check, verdict }) => !isFatal(check, verdict));
  const client = isThere ? openClient(context) : undefined;
  try {
    findings.push(...(await checkAsCaller(context, options, client)));
    const isKnown = !findings.some(({ check, verdict }) => isFatal(check, verdict));
    findings.push(...(await checkNamedMirror(context, options, isKnown ? client : undefined)));
  } finally {
    client?.close();
  }
  const failed = findings.filter(({ verdict }) => verdict === "fail").length;
  const verdict = failed > 0 ? "fail" : "ok";
  const { print } = context.terminal;
  if (options.json) print(JSON.stringify({ verdict, findings }, undefined, 2));
  else print(layOutFindings(findings));
  if (failed > 0) throw new CheckFailed(`${failed} of ${findings.length} checks failed`, 1);
}

/** Without address and key nothing else can be asked. */
function isFatal(check: string, verdict: Finding["verdict"]): boolean {
  return verdict === "fail" && /^signet\.(address|key)$/.test(check);
}

function openClient(context: Context): SignetClient | undefined {
  const key = context.environment.SIGNET_KEY ?? "";
  return key === "" ? undefined : createSignetClient({ url: urlOf(context), key });
}

async function checkAsCaller(
  context: Context,
  { site }: DoctorOptions,
  client: SignetClient | undefined,
): Promise<Finding[]> {
  if (!client) {
    if (context.environment.SIGNET_KEY) return [skip("signet.key", "it could not be tried")];
    const advice =
      "set it to a site key, or to the operator key, as in .signet/operator-key, or keep one by " +
      "`signet profile add`";
    return [fail("signet.key", "SIGNET_KEY is not set", advice)];
  }
  const findings = await checkKey(client, context, site);
  const isGood = findings.every(({ verdict }) => verdict !== "fail");
  if (!isGood) return findings;
  const health = await checkHealth(client, context, site);
  return [...findings, ...(await checkKeys(client, context, site)), health];
}

async function checkNamedMirror(
  { environment }: Context,
  options: DoctorOptions,
  client: SignetClient | undefined,
): Promise<Finding[]> {
  if (options.mirror === undefined) return [];
  try {
    return await withMirrorPool(options.mirror, (pool) =>
      checkMirror(pool, { ...options, client }),
    );
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const advice = "is the URL right, is it up, and may this role connect and read?";
    return [fail("mirror.database", describeError(error, environment), advice)];
  }
}
