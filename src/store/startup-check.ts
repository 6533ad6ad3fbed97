import type { QueryConfig } from "pg";
import { type Clock, systemClock } from "../model/clock.ts";
import { LIMITS } from "../model/limits.ts";
import type { Database } from "./database.ts";
import { listMigrations } from "./migrate.ts";
import { APP_ROLE, OWNER_ROLE, SYSTEM_ROLE } from "./roles.ts";
import { sql } from "./sql.ts";

/** What is wrong, and what its owner has to do about it. */
interface Finding {
  readonly problems: readonly string[];
  readonly remedy: string;
}

/** The database is not fit to serve; the message names each problem, the setting and the remedy. */
export class DatabaseUnfitError extends Error {
  readonly problems: readonly string[];

  constructor(findings: readonly Finding[]) {
    const lines = findings.flatMap(({ problems, remedy }) => [...problems, `=> ${remedy}`]);
    super(`the database is not fit to serve:\n  ${lines.join("\n  ")}`);
    this.name = "DatabaseUnfitError";
    this.problems = findings.flatMap(({ problems }) => problems);
  }
}

/** What the check reads by: both of the service's ways into the database. */
export type CheckedDatabase = Pick<Database, "acrossSites" | "reader">;

/** What else it may be told. */
export interface CheckOptions {
  /** Of the migrations that have to be there. */
  readonly folder?: string;
  readonly clock?: Clock;
}

/** The oldest PostgreSQL that has all that the migrations use. */
const OLDEST_VERSION = 15;

const REMEDIES = {
  version: "let DATABASE_URL lead to a PostgreSQL that fits",
  clock: "set both clocks by NTP: sessions, tokens and deadlines go by them",
  schema: "run `signet migrate` of this version, or set DATABASE_OWNER_URL, or run another Signet",
  role: `let DATABASE_URL be that of ${APP_ROLE}, which \`signet migrate --init\` prepares`,
  direct: `let DATABASE_DIRECT_URL be that of ${APP_ROLE}, as DATABASE_URL is`,
  settings:
    "run `signet migrate --init`, which prepares the role of DATABASE_URL, or undo the change",
  walls: "undo that change in the database of DATABASE_URL: the migrations leave nothing like it",
} as const;

/**
 * Refuses a database in which the second wall between Sites has a hole: a role that is not bound
 * by row-level security, a table without it, a function that could be led astray; and one whose
 * clock is far from this machine's.
 *
 * @throws {DatabaseUnfitError} naming all that is wrong.
 */
export async function checkDatabase(
  db: CheckedDatabase,
  { folder, clock = systemClock }: CheckOptions = {},
): Promise<void> {
  const findings = await findProblems(db, clock, folder);
  const found = findings.filter(({ problems }) => problems.length > 0);
  if (found.length > 0) throw new DatabaseUnfitError(found);
}

async function findProblems(
  db: CheckedDatabase,
  clock: Clock,
  folder?: string,
): Promise<Finding[]> {
  const ask = askBy((query) => db.acrossSites(query));
  const askDirectly = askBy((query) => db.reader.query(query));
  const version = await ask(REMEDIES.version, versionProblems());
  if (version.problems.length > 0) return [version];
  const schema = { problems: await migrationProblems(db, folder), remedy: REMEDIES.schema };
  const role = await ask(REMEDIES.role, roleProblems(), membershipProblems());
  const direct = await askDirectly(REMEDIES.direct, roleProblems(), membershipProblems());
  const found = [
    { problems: await clockProblems(db, clock), remedy: REMEDIES.clock },
    schema,
    role,
    { ...direct, problems: direct.problems.filter((one) => !role.problems.includes(one)) },
    await ask(REMEDIES.settings, timeoutProblems()),
  ];
  if (schema.problems.length > 0) return found;
  const walls = [ownershipProblems(), tableProblems(), functionProblems(), viewProblems()];
  return [...found, await ask(REMEDIES.walls, ...walls)];
}

type Rows = Promise<{ readonly rows: readonly { readonly problem: string }[] }>;

/** Returns what asks several questions in turn, and puts the answers together. */
function askBy(query: (statement: QueryConfig) => Rows) {
  return async (remedy: string, ...questions: readonly QueryConfig[]): Promise<Finding> => {
    const problems: string[] = [];
    for (const question of questions) {
      const { rows } = await query(question);
      problems.push(...rows.map(({ problem }) => problem));
    }
    return { problems, remedy };
  };
}

/** The database reads its clock between the two times; only what lies outside of them is off. */
async function clockProblems(db: CheckedDatabase, clock: Clock): Promise<string[]> {
  const beforeMs = clock.now().getTime();
  const { rows } = await db.acrossSites<{ ms: number }>(sql`
    select extract(epoch from clock_timestamp())::float8 * 1000 as ms`);
  const afterMs = clock.now().getTime();
  const ms = rows[0]?.ms ?? beforeMs;
  const [behindMs, aheadMs] = [beforeMs - ms, ms - afterMs];
  const offMs = Math.max(behindMs, aheadMs);
  if (offMs <= LIMITS.clockOffsetMsMax) return [];
  const side = aheadMs > 0 ? "ahead of" : "behind";
  return [`its clock is ${Math.round(offMs / 1_000)} s ${side} this machine's`];
}

async function migrationProblems(db: CheckedDatabase, folder?: string): Promise<string[]> {
  const known = await listMigrations(folder);
  const { rows: readable } = await db.acrossSites(sql`
    select from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'signet' and c.relname = 'migrations'
       and has_schema_privilege(n.oid, 'usage')
       and has_table_privilege(c.oid, 'select')`);
  if (readable.length === 0) {
    return ["its schema is missing, or not for this role: run `signet migrate`"];
  }
  const { rows } = await db.acrossSites<{ name: string }>(sql`select name from signet.migrations`);
  const applied = new Set(rows.map(({ name }) => name));
  return [
    ...known
      .filter((name) => !applied.has(name))
      .map((name) => `migration ${name} is missing: run \`signet migrate\``),
    ...[...applied]
      .filter((name) => !known.includes(name))
      .map((name) => `migration ${name} is of a newer Signet: run that version or a later one`),
  ];
}

function versionProblems(): QueryConfig {
  return sql`
    select 'PostgreSQL ' || current_setting('server_version') || ' is too old: '
             || ${OLDEST_VERSION}::text || ' or later is needed' as problem
     where current_setting('server_version_num')::integer < ${OLDEST_VERSION} * 10000
     union all
    select 'its encoding is ' || current_setting('server_encoding') || ', and not UTF8'
     where current_setting('server_encoding') <> 'UTF8'`;
}

/** `session_user` as well: `reset role` leads back to it. */
function roleProblems(): QueryConfig {
  return sql`
    select format('role %s %s', rolname, hole) as problem
      from pg_roles
     cross join lateral (values
       (rolsuper, 'is a superuser'),
       (rolbypassrls, 'bypasses row-level security'),
       (rolcreaterole, 'may create roles')) as holes (open, hole)
     where rolname in (current_user, session_user) and open
     order by 1`;
}

function membershipProblems(): QueryConfig {
  return sql`
    select format('role %s may become %s', session_user, rolname) as problem
      from pg_roles
     where rolname in (${OWNER_ROLE}, ${SYSTEM_ROLE})
       and pg_has_role(session_user, oid, 'member')
     order by 1`;
}

function ownershipProblems(): QueryConfig {
  return sql`
    with objects (kind, name, owner) as (
      select 'schema', nspname::text, nspowner
        from pg_namespace where nspname = 'signet'
      union all
      select 'table', oid::regclass::text, relowner
        from pg_class where relnamespace = to_regnamespace('signet')
      union all
      select 'function', oid::regprocedure::text, proowner
        from pg_proc where pronamespace = to_regnamespace('signet')
      union all
      select 'type', oid::regtype::text, typowner
        from pg_type where typnamespace = to_regnamespace('signet'))
    select format('role %s owns %s %s', owner::regrole, kind, name) as problem
      from objects
     where owner::regrole::text in (quote_ident(current_user), quote_ident(session_user))
     order by 1`;
}

/** Without them one forgotten transaction or lock would hold up all others for good. */
function timeoutProblems(): QueryConfig {
  return sql`
    select format('role %s has no %s', current_user, name) as problem
      from pg_settings
     where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')
       and setting = '0'
     order by 1`;
}

/**
 * Partitions are reached through their table, whose policies hold; reached directly, one without
 * a policy shows nothing.
 */
function tableProblems(): QueryConfig {
  return sql`
    select format('table %s %s', c.oid::regclass, hole) as problem
      from pg_class c
     cross join lateral (values
       (not c.relrowsecurity, 'has row-level security switched off'),
       (not c.relforcerowsecurity, 'does not force row-level security on its owner'),
       (not c.relispartition
          and not exists (select from pg_policy p where p.polrelid = c.oid),
        'has no policy')) as holes (open, hole)
     where c.relnamespace = 'signet'::regnamespace
       and c.relkind in ('r', 'p')
       and open
       and (c.relname = 'sites' or exists (
             select from pg_attribute a
              where a.attrelid = c.oid and a.attname = 'site_id' and not a.attisdropped))
     order by 1`;
}

/** A materialized view holds the rows of its owner, and no policy can be put on it. */
function viewProblems(): QueryConfig {
  return sql`
    select format('view %s reads with the rights of its owner', c.oid::regclass) as problem
      from pg_class c
     where c.relnamespace = 'signet'::regnamespace
       and c.relkind in ('v', 'm')
       and not coalesce((
             select option_value::boolean
               from pg_options_to_table(c.reloptions)
              where option_name = 'security_invoker'), false)
     order by 1`;
}

function functionProblems(): QueryConfig {
  return sql`
    select format('function %s %s', p.oid::regprocedure, hole) as problem
      from pg_proc p
     cross join lateral (values
       (not exists (
          select from unnest(p.proconfig) as setting where setting like 'search\_path=%'),
        'runs as its owner without a pinned search path'),
       (p.proowner::regrole::text <> ${SYSTEM_ROLE},
        'runs as its owner, which is not ' || ${SYSTEM_ROLE})) as holes (open, hole)
     where p.pronamespace = 'signet'::regnamespace and p.prosecdef and open
     order by 1`;
}
