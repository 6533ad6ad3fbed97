import { type Field, layOutFields, layOutTable } from "./layout.ts";
import type { Judged } from "./link-judge.ts";
import { LINK_PROBLEMS, type LinkProblem } from "./link-problem.ts";
import type { LinkOutcome } from "./link-write.ts";

/** A row that is not linked. */
export interface LinkFinding {
  readonly rowId: string;
  readonly problem: LinkProblem;
  readonly detail: string;
}

/** What a run of plan or apply has counted. */
export interface LinkReport {
  /** Users that are, or would be, created. */
  readonly created: number;
  /** Rows whose User was there already. */
  readonly matched: number;
  /** Of those created, how many have no password: they set one by a reset. */
  readonly withoutPassword: number;
  /** Of those created, how many have to verify their address before they sign in. */
  readonly unverified: number;
  /** Rows that are left alone, by why. */
  readonly problems: Readonly<Partial<Record<LinkProblem, number>>>;
  /** The first of them. */
  readonly findings: readonly LinkFinding[];
}

/** Gathers a report, batch by batch, in bounded memory. */
export interface LinkCounter {
  addJudged(judged: readonly Judged[]): void;
  addOutcomes(outcomes: readonly LinkOutcome[]): void;
  /** How many rows were added. */
  readonly done: number;
  report(): LinkReport;
}

const FINDINGS_MAX = 1_000;
const FINDINGS_SHOWN = 20;

/** Begins a report. */
export function createLinkCounter(): LinkCounter {
  const counts = { created: 0, matched: 0, withoutPassword: 0, unverified: 0, done: 0 };
  const problems: Partial<Record<LinkProblem, number>> = {};
  const findings: LinkFinding[] = [];
  const addFinding = (finding: LinkFinding) => {
    problems[finding.problem] = (problems[finding.problem] ?? 0) + 1;
    if (findings.length < FINDINGS_MAX) findings.push(finding);
  };
  const addLinked = (isCreated: boolean, { row }: Pick<Judged, "row">) => {
    counts[isCreated ? "created" : "matched"]++;
    if (!isCreated) return;
    if (!row.hash) counts.withoutPassword++;
    if (row.email && !row.emailVerified) counts.unverified++;
  };
  return {
    addJudged(judged) {
      counts.done += judged.length;
      for (const each of judged) {
        const { row, verdict } = each;
        if (verdict.kind === "skip") addFinding({ rowId: row.rowId, ...pick(verdict) });
        else addLinked(verdict.kind !== "match", each);
      }
    },
    addOutcomes(outcomes) {
      counts.done += outcomes.length;
      for (const each of outcomes) {
        const { row, outcome, problem = "refused", detail = "" } = each;
        if (outcome === "skipped") addFinding({ rowId: row.rowId, problem, detail });
        else addLinked(outcome === "created", each);
      }
    },
    get done() {
      return counts.done;
    },
    report() {
      const { done: _, ...numbers } = counts;
      return { ...numbers, problems: { ...problems }, findings: [...findings] };
    },
  };
}

function pick({ problem, detail }: Omit<LinkFinding, "rowId">): Omit<LinkFinding, "rowId"> {
  return { problem, detail };
}

/** How many rows are left alone. */
export function skippedOf({ problems }: LinkReport): number {
  return Object.values(problems).reduce((sum, count) => sum + count, 0);
}

/** Lays a report out for people; `words` name what was, or would be, done. */
export function layOutLinkReport(
  report: LinkReport,
  words: { readonly created: string; readonly matched: string; readonly skipped: string },
): string {
  const fields: Field[] = [
    [words.created, `${report.created}`],
    [words.matched, `${report.matched}`],
    [words.skipped, `${skippedOf(report)}`],
    ...Object.entries(report.problems).map(
      ([problem, count]): Field => [
        `  ${problem}`,
        `${count}: ${LINK_PROBLEMS[problem as LinkProblem]}`,
      ],
    ),
  ];
  return [layOutFields(fields), ...notesOf(report), ...layOutFindings(report)].join("\n\n");
}

function notesOf({ withoutPassword, unverified }: LinkReport): string[] {
  const notes = [
    ...(withoutPassword > 0
      ? [`${withoutPassword} of the new Users have no password, and set one by a reset.`]
      : []),
    ...(unverified > 0
      ? [
          `${unverified} of the new Users have to verify their address before they can sign in: ` +
            "see --verified-column and --emails-verified.",
        ]
      : []),
  ];
  return notes.length > 0 ? [notes.join("\n")] : [];
}

function layOutFindings({ findings, ...report }: LinkReport): string[] {
  if (findings.length === 0) return [];
  const shown = findings.slice(0, FINDINGS_SHOWN);
  const rows = shown.map(({ rowId, problem, detail }) => [rowId, problem, detail]);
  const left = skippedOf({ findings, ...report }) - shown.length;
  const more = left > 0 ? [`… and ${left} more; --json has up to ${FINDINGS_MAX}.`] : [];
  return [[layOutTable(["row", "problem", "detail"], rows), ...more].join("\n")];
}
