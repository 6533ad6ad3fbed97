import { toJson } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  HealthVerdict,
  MirrorSchema,
  type SyncHealth,
  SyncHealthSchema,
} from "../../gen/signet/v1/change_pb.ts";
import type { SignetClient } from "../client/index.ts";
import { type AnswerOptions, addCommand } from "./answer.ts";
import { withClient } from "./connection.ts";
import { CheckFailed, type Context } from "./context.ts";
import { layOutSyncStatus, type SyncStatus, VERDICTS } from "./sync-status-layout.ts";

interface StatusOptions extends AnswerOptions {
  readonly site?: string;
  readonly check?: true;
}

/** What `--check` ends with; 1 and 2 say that there is no verdict. */
const EXIT_DEGRADED = 3;
const EXIT_UNHEALTHY = 4;

const PAGE_SIZE = 100; // A Site has no more Mirrors.

/** Adds `signet sync status`. */
export function addSyncStatus(sync: Command, context: Context): void {
  addCommand(sync, "status", {
    description: "Tells whether all Mirrors of a Site are in step, and lists them.",
    examples: [
      "signet sync status --site <id>",
      "signet sync status --check || echo 'look at the Mirrors'",
      "signet sync status --json | jq .health.problems",
    ],
  })
    .option("--site <id>", "the Site; not needed with a site key")
    .option(
      "--check",
      `for monitoring: end with ${EXIT_DEGRADED} if it is degraded, ${EXIT_UNHEALTHY} if unhealthy`,
    )
    .action((options: StatusOptions) => showStatus(context, options));
}

async function showStatus(context: Context, options: StatusOptions): Promise<void> {
  const siteId = options.site ?? "";
  const status = await withClient(context, (client) => askStatus(client, siteId));
  context.terminal.print(options.json ? toJsonText(status) : layOutSyncStatus(status));
  if (options.check) requireHealthy(status.health);
}

async function askStatus({ sync }: SignetClient, siteId: string): Promise<SyncStatus> {
  const [{ health }, { mirrors }] = await Promise.all([
    sync.getSyncHealth({ siteId }),
    sync.listMirrors({ siteId, pageSize: PAGE_SIZE }),
  ]);
  if (!health) throw new Error("the answer has no health");
  return { health, mirrors };
}

function toJsonText({ health, mirrors }: SyncStatus): string {
  const options = { alwaysEmitImplicit: true };
  const status = {
    health: toJson(SyncHealthSchema, health, options),
    mirrors: mirrors.map((mirror) => toJson(MirrorSchema, mirror, options)),
  };
  return JSON.stringify(status, undefined, 2);
}

/** @throws {CheckFailed} unless everything is in step. */
function requireHealthy({ verdict, problems }: SyncHealth): void {
  if (verdict === HealthVerdict.HEALTHY) return;
  const exitCode = verdict === HealthVerdict.DEGRADED ? EXIT_DEGRADED : EXIT_UNHEALTHY;
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  throw new CheckFailed(`the sync is ${VERDICTS.wordOf(verdict)}: ${count}`, exitCode);
}
