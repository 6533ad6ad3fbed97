import type { ImportRow } from "../model/user-import.ts";
import { type FoundUsers, namesOfRow } from "./import-matches.ts";
import type { RowPlan } from "./import-plan.ts";

/**
 * Plans the rows up to the first that has to do with an earlier one: the same name, the same User,
 * or another admin who is to go. That one has to see what the earlier one has left.
 */
export function independentPlans(
  rows: readonly ImportRow[],
  found: FoundUsers,
  plan: (row: ImportRow) => RowPlan,
): RowPlan[] {
  const plans: RowPlan[] = [];
  const met = new Set<string>();
  for (const row of rows) {
    const planned = plan(row);
    const marks = [...namesOfRow(row), ...usersNear(row, found), ...adminTaken(planned)];
    if (marks.some((mark) => met.has(mark))) break;
    for (const mark of marks) met.add(mark);
    plans.push(planned);
  }
  return plans;
}

/** The Users who have a name of the row. */
function usersNear(row: ImportRow, found: FoundUsers): string[] {
  const { email, username, externalId } = row.fields;
  const users = [
    found.match(row),
    found.byEmail(email),
    found.byUsername(username),
    found.byExternalId(externalId),
  ];
  return [...new Set(users.map((user) => (user ? `user:${user.id}` : "")))].filter(Boolean);
}

/** Whether any other is left is asked of the database, which has to know of the one before. */
function adminTaken(plan: RowPlan): string[] {
  if (plan.action !== "change") return [];
  const { before, merged } = plan;
  const isAdmin = (user: typeof before) => user.state === "active" && user.roles.includes("admin");
  return isAdmin(before) && !isAdmin(merged) ? ["admin"] : [];
}
