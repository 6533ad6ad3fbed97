import { COMPUTED_COLUMNS, MIRROR_COLUMNS } from "./mirror-columns.ts";
import { MirrorError } from "./mirror-error.ts";
import type { MirrorNames } from "./mirror-names.ts";
import { inTransaction, type MirrorConnection } from "./postgres-connection.ts";

/** The setting by which the guard knows the Mirror; it lasts as long as a transaction. */
export const WRITER_SETTING = "signet.mirror";

/**
 * Creates the tables of a Mirror where they are missing, and checks the columns of the Users.
 *
 * @throws {MirrorError} naming each column that is missing or has another type.
 */
export async function prepareTables(db: MirrorConnection, names: MirrorNames): Promise<void> {
  const { rows } = await db.query(
    `select to_regclass($1) is not null and to_regclass($2) is not null
            and to_regclass($3) is not null and to_regclass($4) is not null as complete`,
    [names.users, names.state, names.tombstones, names.refusals],
  );
  // An app's role may well be allowed to use the tables and not to create them.
  if (rows[0]?.complete !== true) await createTables(db, names);
  else await checkColumns(db, names);
  await db.query(
    `delete from ${names.tombstones} where delete_time < now() - interval '${TOMBSTONE_AGE}'`,
  );
}

/** Signet itself keeps tombstones no longer. */
const TOMBSTONE_AGE = "90 days";

async function createTables(db: MirrorConnection, names: MirrorNames): Promise<void> {
  await inTransaction(db, async () => {
    // Instances that start together would trip over each other's `if not exists`.
    await db.query("select pg_advisory_xact_lock(hashtextextended($1, 1))", [names.users]);
    await db.query(usersTable(names.users));
    await checkColumns(db, names); // An app may have made the table itself.
    for (const statement of companionStatements(names)) await db.query(statement);
  });
}

async function checkColumns(
  db: MirrorConnection,
  { schema, table, users }: MirrorNames,
): Promise<void> {
  const { rows } = await db.query(
    `select attname::text as name, format_type(atttypid, null) as type
       from pg_attribute
      where attrelid = format('%I.%I', $1::text, $2::text)::regclass
        and attnum > 0 and not attisdropped`,
    [schema, table],
  );
  const types = new Map(rows.map(({ name, type }) => [name, type]));
  const wanted = Object.entries({ ...MIRROR_COLUMNS, ...COMPUTED_COLUMNS });
  const problems = wanted
    .filter(([name, type]) => types.get(name) !== type)
    .map(([name, type]) => `${name} must be ${type}, and is ${types.get(name) ?? "missing"}`);
  if (problems.length > 0) {
    throw new MirrorError(`${users} cannot be the mirror:\n  ${problems.join("\n  ")}`);
  }
}

function companionStatements(names: MirrorNames): string[] {
  const { users, state, tombstones, refusals, table } = names;
  return [
    `create index if not exists "${table}_email_idx" on ${users} (email)`,
    `create table if not exists ${state} (
       stream text primary key,
       revision bigint not null default 0,
       phase text not null default 'new',
       site_id text not null default '',
       epoch integer not null default 0,
       scope text not null default '?',
       position bigint not null default 0,
       exact_position bigint not null default 0,
       cursor text not null default '',
       snapshot_after text not null default '',
       user_count bigint,
       user_xor bigint,
       merges bigint not null default 0,
       mirror_id uuid not null default gen_random_uuid(),
       reconcile jsonb,
       deep_reconcile jsonb,
       update_time timestamptz not null default now()
     )`,
    `insert into ${state} (stream) values ('users') on conflict do nothing`,
    `create table if not exists ${tombstones} (
       id uuid primary key,
       epoch integer not null,
       version bigint not null,
       delete_time timestamptz not null default now()
     )`,
    `create sequence if not exists ${refusals}`,
    ...guardStatements(names),
  ];
}

/** A digest is that of the proto's `Sums`; the leaf is where reconciling looks for the row. */
function usersTable(users: string): string {
  return `create table if not exists ${users} (
    id uuid primary key,
    site_id uuid not null,
    version bigint not null,
    deleted boolean not null,
    state text,
    email text,
    email_verified boolean not null,
    username text,
    display_name text,
    picture_url text,
    locale text,
    roles text[] not null,
    mfa_enabled boolean not null,
    password_change_time timestamptz,
    external_id text,
    metadata jsonb,
    origin jsonb,
    deletion_protected boolean not null,
    create_time timestamptz,
    update_time timestamptz,
    delete_time timestamptz,
    mirror_epoch integer not null,
    mirror_scope text not null,
    mirror_content bigint not null,
    mirror_digest bigint not null generated always as (
      ('x' || encode(substring(sha256(uuid_send(id) || int8send(version)) from 1 for 8), 'hex'))
        ::bit(64)::bigint
    ) stored,
    mirror_leaf integer not null generated always as (
      get_byte(sha256(uuid_send(id)), 0) * 256 + get_byte(sha256(uuid_send(id)), 1)
    ) stored
  )`;
}

/**
 * Whoever is not the Mirror may write the app's own columns alone. It guards against mistakes,
 * not against attackers: grants do that.
 */
function guardStatements({ users, refusals, guard }: MirrorNames): string[] {
  const isForeign = `current_setting('${WRITER_SETTING}', true) is distinct from 'on'`;
  const columns = [...Object.keys(MIRROR_COLUMNS), "mirror_content"];
  const row = (version: string) => `(${columns.map((name) => `${version}.${name}`).join(", ")})`;
  const altered = `${row("old")} is distinct from ${row("new")}`;
  const triggers = [
    ["insert", `row when (${isForeign})`],
    ["update", `row when (${isForeign} and ${altered})`],
    ["delete", `row when (${isForeign})`],
    ["truncate", `statement when (${isForeign})`],
  ];
  return [
    `create or replace function ${guard}() returns trigger
       language plpgsql security definer set search_path = pg_catalog, pg_temp as $guard$
     begin
       perform nextval('${refusals}');
       raise exception '% is a mirror of Signet: change the User there', tg_table_name
         using errcode = 'insufficient_privilege';
     end $guard$`,
    ...triggers.map(
      ([event, rest]) => `create or replace trigger signet_guard_${event}
         before ${event} on ${users} for each ${rest} execute function ${guard}()`,
    ),
  ];
}
