import type { Pool } from "pg";
import type { MirrorNames } from "../client/mirror-names.ts";
import { AUTH_COLUMN_NAMES } from "./doctor-columns.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const TRIGGERS = ["insert", "update", "delete", "truncate"].map((event) => `signet_guard_${event}`);

/** Checks that the triggers are there which refuse writes by others, and how many they refused. */
export async function checkGuard(pool: Pool, names: MirrorNames): Promise<Finding[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select tgname::text as name from pg_trigger
      where tgrelid = $1::regclass and tgenabled in ('O', 'A') and tgfoid = to_regproc($2)`,
    [names.users, names.guard],
  );
  const present = new Set(rows.map(({ name }) => name));
  const missing = TRIGGERS.filter((name) => !present.has(name));
  const advice =
    "enable it (alter table … enable trigger …), or drop the state table and run " +
    "`signet sync mirror`, which makes all triggers anew and fills the mirror again";
  const triggers =
    missing.length === 0
      ? ok("mirror.guard", "triggers refuse writes by others")
      : fail("mirror.guard", `missing or disabled: ${missing.join(", ")}`, advice);
  return [triggers, await refusalFinding(pool, names)];
}

/** Tells who else may write what Signet decides about: grants are the wall, triggers a fence. */
export async function checkGrants(pool: Pool, { users }: MirrorNames): Promise<Finding> {
  const { rows } = await pool.query<{ role: string; rights: string[] }>(
    `select rolname::text as role, rights
       from pg_class as mirror
            cross join pg_roles as role
            cross join lateral (
              select array_remove(array[
                case when has_any_column_privilege(role.oid, mirror.oid, 'insert')
                     then 'insert' end,
                (select 'update (' || string_agg(attname, ', ' order by attnum) || ')'
                   from pg_attribute
                  where attrelid = mirror.oid and attname = any ($2)
                    and has_column_privilege(role.oid, mirror.oid, attnum, 'update')),
                case when has_table_privilege(role.oid, mirror.oid, 'delete') then 'delete' end,
                case when has_table_privilege(role.oid, mirror.oid, 'truncate')
                     then 'truncate' end], null) as rights) as granted
      where mirror.oid = $1::regclass and role.oid <> mirror.relowner
        and rolname <> current_user and not rolsuper and rolname !~ '^pg_'
        and cardinality(rights) > 0
      order by 1`,
    [users, AUTH_COLUMN_NAMES],
  );
  if (rows.length === 0) {
    return ok("mirror.grants", "no role but its owner may write the columns of Signet");
  }
  const text = rows.map(({ role, rights }) => `${role} may ${rights.join(", ")}`).join("; ");
  const advice =
    `revoke insert, update, delete, truncate on ${users} from ${rows[0]?.role}; ` +
    "then grant update on the app's own columns";
  return warn("mirror.grants", text, advice);
}

async function refusalFinding(pool: Pool, { refusals }: MirrorNames): Promise<Finding> {
  const { rows } = await pool.query<{ count: string }>(
    `select case when is_called then last_value else 0 end::text as count from ${refusals}`,
  );
  const count = rows[0]?.count ?? "0";
  if (count === "0") return ok("mirror.foreign_writes", "nobody else has tried to write");
  const text = `others have tried to write ${count} times, and were refused`;
  const advice = "find out which program writes there, and let it call Signet instead";
  return warn("mirror.foreign_writes", text, advice);
}
