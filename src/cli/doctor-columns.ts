import type { Pool } from "pg";
import { COMPUTED_COLUMNS, MIRROR_COLUMNS } from "../client/mirror-columns.ts";
import type { MirrorNames } from "../client/mirror-names.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";
import { looksSecret } from "./secret-names.ts";

interface Column {
  readonly name: string;
  readonly type: string;
}

interface TableColumn extends Column {
  /** As PostgreSQL writes it. */
  readonly table: string;
}

const AUTH_COLUMNS: ReadonlyMap<string, string> = new Map(
  Object.entries({ ...MIRROR_COLUMNS, ...COMPUTED_COLUMNS }),
);

/** The columns of a Mirror that only Signet may decide about. */
export const AUTH_COLUMN_NAMES: readonly string[] = [...AUTH_COLUMNS.keys()];

/** Checks that the Mirror's columns are there, with their types. */
export async function checkColumns(pool: Pool, { users }: MirrorNames): Promise<Finding> {
  const present = await listColumns(pool, users);
  const types = new Map(present.map(({ name, type }) => [name, type]));
  const problems = [...AUTH_COLUMNS]
    .filter(([name, type]) => types.get(name) !== type)
    .map(([name, type]) => `${name} must be ${type}, and is ${types.get(name) ?? "missing"}`);
  if (problems.length === 0) {
    const own = present.filter(({ name }) => !AUTH_COLUMNS.has(name)).length;
    return ok("mirror.columns", `all columns are there; ${own} of the app's own stand beside them`);
  }
  const advice = "put them right, or drop the table and fill it anew by `signet sync mirror`";
  return fail("mirror.columns", problems.join("; "), advice);
}

/** Looks for places where somebody keeps what only Signet should have, such as password hashes. */
export async function checkSecrets(
  pool: Pool,
  { users }: MirrorNames,
  allowed: readonly string[],
): Promise<Finding[]> {
  const isSuspect = ({ name, type }: Column) =>
    !AUTH_COLUMNS.has(name) && !allowed.includes(name) && looksSecret(name, type);
  const beside = (await listColumns(pool, users)).filter(isSuspect);
  const elsewhere = (await listReferencingColumns(pool, users)).filter(isSuspect);
  const allow = "if it is none, say so by --allow-column <name>";
  const findings: Finding[] = [];
  if (beside.length === 0) {
    findings.push(ok("mirror.secrets", "no column of the table looks like a secret"));
  } else {
    const text = `looks like a secret: ${beside.map(({ name }) => name).join(", ")}`;
    const advice = `drop it, since passwords and tokens belong to Signet alone; ${allow}`;
    findings.push(fail("mirror.secrets", text, advice));
  }
  if (elsewhere.length > 0) {
    const named = elsewhere.map(({ table, name }) => `${table}.${name}`).join(", ");
    const advice = `an app needs no password, hash or token of a User; ${allow}`;
    findings.push(warn("app.secrets", `looks like a secret: ${named}`, advice));
  }
  return findings;
}

async function listColumns(pool: Pool, users: string): Promise<Column[]> {
  const { rows } = await pool.query<Column>(
    `select attname::text as name, format_type(atttypid, null) as type
       from pg_attribute
      where attrelid = $1::regclass and attnum > 0 and not attisdropped
      order by attnum`,
    [users],
  );
  return rows;
}

/** Lists the columns of tables that have a foreign key on the Mirror. */
async function listReferencingColumns(pool: Pool, users: string): Promise<TableColumn[]> {
  const { rows } = await pool.query<TableColumn>(
    `select attrelid::regclass::text as table, attname::text as name,
            format_type(atttypid, null) as type
       from pg_attribute
      where attnum > 0 and not attisdropped and attrelid <> $1::regclass
        and attrelid in (select conrelid from pg_constraint
                          where contype = 'f' and confrelid = $1::regclass)
      order by 1, attnum`,
    [users],
  );
  return rows;
}
