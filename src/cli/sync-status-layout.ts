import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  HealthVerdictSchema,
  type Mirror,
  MirrorStateSchema,
  type SyncHealth,
  type SyncProblem,
  SyncProblemKind,
  SyncProblemKindSchema,
} from "../../gen/signet/v1/change_pb.ts";
import { enumWords } from "./enum-words.ts";
import { type Field, layOutFields, layOutTable } from "./layout.ts";
import { timeText } from "./values.ts";

/** What is known of the sync of a Site. */
export interface SyncStatus {
  readonly health: SyncHealth;
  readonly mirrors: readonly Mirror[];
}

/** How the sync of a Site is doing, in words. */
export const VERDICTS = enumWords(HealthVerdictSchema);

const STATES = enumWords(MirrorStateSchema);
const PROBLEMS = enumWords(SyncProblemKindSchema, " ");

/** Lays out the verdict with its reasons, what was counted, and the Mirrors below. */
export function layOutSyncStatus({ health, mirrors }: SyncStatus): string {
  const names = new Map(mirrors.map(({ id, name }) => [id, name]));
  const fields = layOutFields([
    ["Sync", VERDICTS.wordOf(health.verdict)],
    ...health.problems.map((problem): Field => ["Problem", problemText(problem, health, names)]),
    ["Head", `${health.head} (epoch ${health.epoch}, kept from ${health.oldestPosition} on)`],
    ["Users", usersText(health)],
    ["Sequencing", `${health.sequencingDelayMs} ms behind`],
    ["As of", timeText(health.asOf)],
  ]);
  return `${fields}\n\n${layOutMirrors(mirrors, health)}`;
}

type Names = ReadonlyMap<string, string>;

function layOutMirrors(mirrors: readonly Mirror[], { asOf }: SyncHealth): string {
  if (mirrors.length === 0) return "There are no Mirrors.";
  return layOutTable(
    ["mirror", "state", "position", "lag", "behind", "drift", "report", "reconcile", "id"],
    mirrors.map((mirror) => [
      mirror.name,
      STATES.wordOf(mirror.state),
      `${mirror.position}`,
      `${mirror.lagChanges}`,
      durationText(Number(mirror.lagMs)),
      `${mirror.drift}`,
      ageText(mirror.reportTime, asOf),
      ageText(mirror.lastReconcile?.finishTime, asOf),
      mirror.id,
    ]),
  );
}

function problemText(problem: SyncProblem, { thresholds }: SyncHealth, names: Names): string {
  const { kind, verdict, subjectId, value, threshold } = problem;
  const name = names.get(subjectId);
  const subject = name ? `${name} (${subjectId})` : subjectId || "the Site";
  const inMs = kind === SyncProblemKind.MIRROR_LAGGING && threshold === thresholds?.mirrorLagMs;
  const unit = inMs ? "ms" : UNITS.get(kind);
  const limit = threshold > 0n ? `, over ${threshold}` : "";
  const measure = unit ? `, ${value} ${unit}${limit}` : "";
  return `${VERDICTS.wordOf(verdict)}: ${PROBLEMS.wordOf(kind)}: ${subject}${measure}`;
}

/** What the value of a problem counts; those without say all by their name. */
const UNITS: ReadonlyMap<SyncProblemKind, string> = new Map([
  [SyncProblemKind.SEQUENCING_DELAYED, "ms"],
  [SyncProblemKind.MIRROR_LAGGING, "Changes"],
  [SyncProblemKind.MIRROR_SILENT, "s"],
  [SyncProblemKind.MIRROR_DIVERGED, "Users"],
  [SyncProblemKind.MIRROR_FOREIGN_WRITES, "writes"],
  [SyncProblemKind.RECONCILE_OVERDUE, "s"],
  [SyncProblemKind.WEBHOOK_LAGGING, "ms"],
  [SyncProblemKind.WEBHOOK_DEAD_DELIVERIES, "deliveries"],
]);

function usersText({ users }: SyncHealth): string {
  const {
    activeCount = 0n,
    invitedCount = 0n,
    disabledCount = 0n,
    deletedCount = 0n,
  } = users ?? {};
  const counts = `${activeCount} active, ${invitedCount} invited, ${disabledCount} disabled`;
  return `${counts}; ${deletedCount} deleted`;
}

/** Ages are told by the server's clock, since this one may differ. */
function ageText(time: Timestamp | undefined, asOf: Timestamp | undefined): string | undefined {
  if (!time || !asOf) return undefined;
  return `${durationText(Math.max(0, timestampMs(asOf) - timestampMs(time)))} ago`;
}

const UNIT_MS = { d: 86_400_000, h: 3_600_000, min: 60_000, s: 1_000 } as const;

/** Writes a duration in the largest unit of which it has one or more. */
function durationText(ms: number): string {
  for (const [unit, unitMs] of Object.entries(UNIT_MS)) {
    if (ms >= unitMs) return `${Math.floor(ms / unitMs)} ${unit}`;
  }
  return `${ms} ms`;
}
