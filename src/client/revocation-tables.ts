import type { MirrorNames } from "./mirror-names.ts";
import { WRITER_SETTING } from "./mirror-tables.ts";
import { inTransaction, type MirrorConnection } from "./postgres-connection.ts";

/** The names of the objects in PostgreSQL that hold Revocations, quoted for statements. */
export interface RevocationNames {
  /** The Revocations. */
  readonly revocations: string;
  /** What is known up to when: one row. */
  readonly state: string;
  /** The function that answers whether a token is good. */
  readonly check: string;
  /** The function that refuses writes by others. */
  readonly guard: string;
}

/** Names the objects after their table. */
export function toRevocationNames({ schema, table }: MirrorNames): RevocationNames {
  const quoted = (suffix: string) => `"${schema}"."${table}${suffix}"`;
  return {
    revocations: quoted(""),
    state: quoted("_state"),
    check: quoted("_check"),
    guard: quoted("_guard"),
  };
}

/** Creates what is missing. */
export async function prepareRevocationTables(
  db: MirrorConnection,
  names: RevocationNames,
): Promise<void> {
  const { revocations, state, check } = names;
  const { rows } = await db.query(
    `select to_regclass($1) is not null and to_regclass($2) is not null
            and to_regprocedure($3) is not null as complete`,
    [revocations, state, `${check}(${CHECK_TYPES})`],
  );
  // An app's role may well be allowed to use the tables and not to create them.
  if (rows[0]?.complete === true) return;
  await inTransaction(db, async () => {
    // Instances that start together would trip over each other's `if not exists`.
    await db.query("select pg_advisory_xact_lock(hashtextextended($1, 1))", [revocations]);
    for (const statement of [...tableStatements(names), ...functionStatements(names)]) {
      await db.query(statement);
    }
  });
}

const CHECK_TYPES = "text, text, bigint, text, interval";

function tableStatements({ revocations, state }: RevocationNames): string[] {
  return [
    `create table if not exists ${revocations} (
       site_id uuid not null,
       kind text not null,
       subject_id text not null,
       generation bigint not null default 0,
       revoke_time timestamptz,
       expire_time timestamptz,
       primary key (kind, subject_id)
     )`,
    `create table if not exists ${state} (
       only_one boolean primary key default true check (only_one),
       table_oid oid,
       site_id uuid,
       cursor text not null default '',
       as_of timestamptz,
       known_time timestamptz
     )`,
    `insert into ${state} default values on conflict do nothing`,
    // A state that is older than its table would claim to know what went with the old one.
    `update ${state} set table_oid = '${revocations}'::regclass, cursor = '', known_time = null
      where table_oid is distinct from '${revocations}'::regclass::oid`,
    `comment on column ${revocations}.kind is
       'session_ended, generation_raised, signing_key_withdrawn, api_key_withdrawn, site_closed'`,
    `comment on column ${state}.as_of is
       'every revocation up to then is held, by the clock of Signet'`,
    `comment on column ${state}.known_time is
       'the same moment or an earlier one, by the clock of this database'`,
  ];
}

/**
 * The answers of the function but `good` all mean to refuse; so does no answer, by an error. It
 * looks at the clock itself: `now()` stands still in a long transaction.
 */
function functionStatements({ revocations, state, check, guard }: RevocationNames): string[] {
  const has = (kind: string, condition: string) =>
    `exists (select from ${revocations} as ended where kind = '${kind}' ${condition})`;
  return [
    `create or replace function ${check}(
       sid text, sub text, gen bigint, kid text,
       max_staleness interval default interval '5 minutes'
     ) returns text
       language sql volatile security definer set search_path = pg_catalog, pg_temp as $check$
       select case
         when sid is null or sub is null or gen is null or kid is null then 'malformed'
         when ${has("session_ended", "and subject_id = sid")} then 'revoked'
         when ${has("generation_raised", "and subject_id = sub and generation > gen")}
           then 'revoked'
         when ${has("signing_key_withdrawn", "and subject_id = kid")} then 'revoked'
         when ${has("site_closed", "")} then 'revoked'
         when (select known_time >= clock_timestamp() - max_staleness from ${state}) then 'good'
         else 'stale'
       end
     $check$`,
    `create or replace function ${guard}() returns trigger
       language plpgsql set search_path = pg_catalog, pg_temp as $guard$
     begin
       raise exception '% is kept by Signet, and by nobody else', tg_table_name
         using errcode = 'insufficient_privilege';
     end $guard$`,
    `create or replace trigger signet_guard
       before insert or update or delete or truncate on ${revocations} for each statement
       when (current_setting('${WRITER_SETTING}', true) is distinct from 'on')
       execute function ${guard}()`,
  ];
}
