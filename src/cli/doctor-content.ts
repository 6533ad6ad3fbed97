import type { Pool } from "pg";
import { createPostgresMirror } from "../client/index.ts";
import { type Finding, fail, ok } from "./finding.ts";

const NAMED_MAX = 3;

/** Reads every row, and looks for those that somebody has altered past the triggers. */
export async function checkContent(pool: Pool, table: string): Promise<Finding> {
  const storage = createPostgresMirror({ pool, table });
  const altered: string[] = [];
  let after: string | undefined = "";
  while (after !== undefined) {
    const part = await storage.listAltered(after);
    altered.push(...part.rows.map(({ id }) => id));
    after = part.next;
  }
  if (altered.length === 0) return ok("mirror.content", "every row is as Signet has sent it");
  const named = altered.slice(0, NAMED_MAX).join(", ");
  const more = altered.length > NAMED_MAX ? ` and ${altered.length - NAMED_MAX} more` : "";
  const text = `altered by somebody else: ${named}${more}`;
  const advice = "run `signet sync reconcile --repair --deep` with the same --to and --table";
  return fail("mirror.content", text, advice);
}
