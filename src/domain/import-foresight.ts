import { Failure } from "../model/failure.ts";
import type { ImportOptions, ImportResult } from "../model/user-import.ts";
import { namesOfRow } from "./import-matches.ts";
import type { RowPlan } from "./import-plan.ts";
import type { NameMemory } from "./name-memory.ts";

/** What a dry run says of a row, given the names that earlier rows would have taken. */
export function foresee(
  plan: RowPlan,
  { mode }: ImportOptions,
  taken: NameMemory | undefined,
): ImportResult {
  const { row } = plan.row;
  switch (plan.action) {
    case "refuse":
      return { row, outcome: "refused", failure: plan.failure };
    case "keep":
      return { row, outcome: "unchanged", user: plan.before };
    case "change":
      return { row, outcome: "updated", user: plan.before };
    case "create":
      break;
  }
  const names = namesOfRow(plan.row);
  const met = names.filter((name) => taken?.has(name));
  if (met.some((name) => !name.startsWith("username:"))) {
    return { row, outcome: mode === "update" ? "updated" : "unchanged", user: undefined };
  }
  if (met.length > 0) {
    const problem = "belongs to a User of an earlier row";
    const failure = new Failure("username_taken", { field: "username", problem });
    return { row, outcome: "refused", failure };
  }
  for (const name of names) taken?.add(name);
  return { row, outcome: "created", user: undefined };
}
