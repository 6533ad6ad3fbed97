import { Pool } from "pg";
import { type ProgramResult, type RunningProgram, runSignet, startSignet } from "./programs.ts";

/** A row of an app's own table of users. */
export interface AppUser {
  readonly id: string;
  readonly email?: string | undefined;
  readonly username?: string | undefined;
  readonly hash?: string | undefined;
  readonly fullName?: string | undefined;
  readonly confirmed?: boolean | undefined;
  readonly deleted?: boolean | undefined;
}

/** What is in the log of a row. */
export interface LoggedRow {
  readonly row_id: string;
  readonly outcome: string;
  readonly problem: string | null;
  readonly old_link: string | null;
  readonly new_link: string | null;
  readonly log_time: Date;
  readonly undo_outcome: string | null;
  readonly user_undo_outcome: string | null;
}

/** An app with users of its own, in a schema of its own. */
export interface LinkApp extends AsyncDisposable {
  readonly pool: Pool;
  readonly table: string;
  add(...users: readonly AppUser[]): Promise<void>;
  /** The User's id of each row; null: it is not linked. */
  links(): Promise<Map<string, string | null>>;
  log(): Promise<Map<string, LoggedRow>>;
  /** The columns of the table. */
  columns(): Promise<string[]>;
  /** Runs `signet link <command>`, with what the table's columns are called. */
  link(command: string, ...words: readonly string[]): Promise<ProgramResult>;
  /** The same, in a process of its own. */
  startLink(command: string, ...words: readonly string[]): RunningProgram;
}

/** Where the app is, and whom its command line talks to. */
export interface LinkAppPlace {
  readonly url: string;
  readonly schema?: string;
  readonly idType?: string;
  readonly environment: Readonly<Record<string, string>>;
}

const ROW_COLUMNS = [
  ...["--hash-column", "password_hash", "--username-column", "login", "--name-column", "full_name"],
  ...["--verified-column", "confirmed_at", "--disabled-column", "deleted_at"],
];

/** Runs a link command with --json, and returns what it answers. */
export async function askLink(app: LinkApp, command: string, ...words: readonly string[]) {
  const { exitCode, stdout, stderr } = await app.link(command, "--json", ...words);
  return { exitCode, stderr, answer: JSON.parse(stdout || "{}") as Record<string, unknown> };
}

/** Makes the app's schema and its table. */
export async function openLinkApp(place: LinkAppPlace): Promise<LinkApp> {
  const { url, schema = "dashboard", idType = "integer", environment } = place;
  const pool = new Pool({ connectionString: url });
  // The database may go before the last connection has.
  pool.on("connect", (client) => client.on("error", () => undefined));
  const table = `${schema}.admin_users`;
  await pool.query(`create schema if not exists ${schema};
    drop table if exists ${table}, ${table}_link_log, ${table}_link_log_runs cascade;
    create table ${table} (
      id ${idType} primary key, email text, login text, password_hash text, full_name text,
      confirmed_at timestamptz, deleted_at timestamptz, plan text not null default 'free')`);
  const read = async <Row extends { readonly row_id: string }>(statement: string) => {
    const { rows } = await pool.query<Row>(statement);
    return new Map(rows.map((row) => [row.row_id, row]));
  };
  const wordsOf = (command: string, words: readonly string[]) => {
    const takesRows = command === "plan" || command === "apply";
    const columns = takesRows ? ROW_COLUMNS : [];
    return ["link", command, "--to", url, "--table", table, ...columns, ...words];
  };
  return {
    pool,
    table,
    async add(...users) {
      for (const { id, email, username, hash, fullName, confirmed = true, deleted } of users) {
        await pool.query(
          `insert into ${table} (id, email, login, password_hash, full_name,
                                 confirmed_at, deleted_at)
           values ($1, $2, $3, $4, $5, case when $6 then now() end,
                   case when $7 then now() end)`,
          [id, email, username, hash, fullName, confirmed, deleted ?? false],
        );
      }
    },
    async links() {
      const rows = await read<{ row_id: string; link: string | null }>(
        `select id::text as row_id, auth_user_id::text as link from ${table} order by id`,
      );
      return new Map([...rows].map(([id, { link }]) => [id, link]));
    },
    log: () => read<LoggedRow>(`select * from ${table}_link_log order by run, row_id`),
    async columns() {
      const { rows } = await pool.query<{ name: string }>(
        `select attname::text as name from pg_attribute
          where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
        [table],
      );
      return rows.map(({ name }) => name);
    },
    link: (command, ...words) => runSignet(wordsOf(command, words), environment),
    startLink: (command, ...words) => startSignet(wordsOf(command, words), environment),
    [Symbol.asyncDispose]: () => pool.end(),
  };
}
