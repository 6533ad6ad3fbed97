import { alignColumns } from "./layout.ts";

/** How a check came out; `skip`: it could not be made. */
export type Verdict = "ok" | "warn" | "fail" | "skip";

/** What one check has found. */
export interface Finding {
  /** Names the check for programs, such as `mirror.columns`. */
  readonly check: string;
  readonly verdict: Verdict;
  /** What is so, in plain words. */
  readonly text: string;
  /** What to do about it. */
  readonly advice?: string;
}

/** All is well. */
export function ok(check: string, text: string): Finding {
  return { check, verdict: "ok", text };
}

/** It works, and something should be done. */
export function warn(check: string, text: string, advice: string): Finding {
  return { check, verdict: "warn", text, advice };
}

/** It does not work, or is not safe. */
export function fail(check: string, text: string, advice: string): Finding {
  return { check, verdict: "fail", text, advice };
}

/** It could not be told. */
export function skip(check: string, text: string): Finding {
  return { check, verdict: "skip", text };
}

/** Lays findings out, each with what to do about it below. */
export function layOutFindings(findings: readonly Finding[]): string {
  return alignColumns(
    findings.flatMap(({ verdict, check, text, advice }) => [
      [verdict, check, text],
      ...(advice ? [["", "", `→ ${advice}`]] : []),
    ]),
  ).join("\n");
}
