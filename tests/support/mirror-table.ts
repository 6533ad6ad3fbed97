import { randomBytes } from "node:crypto";
import { Pool } from "pg";
import { inject } from "vitest";

/** A table for a mirror, in the run's PostgreSQL; dropped at the end. */
export interface MirrorTable extends AsyncDisposable {
  readonly table: string;
  /** Of the app's own, to look and to meddle. */
  readonly admin: Pool;
  /** Opens a pool whose connections `terminate` ends. */
  openPool(): Pool;
  /** Ends the server's side of every connection of those pools. */
  terminate(): Promise<void>;
  /** Runs a statement with the table's triggers off. */
  pastTheGuard(statement: string): Promise<void>;
  /** The Users that are no tombstones: address by id. */
  users(): Promise<Map<string, string>>;
}

/** Chooses a name; the mirror creates the table. */
export function openMirrorTable(): MirrorTable {
  const { adminUrl } = inject("postgres");
  const admin = new Pool({ connectionString: adminUrl });
  const table = `mirror_${randomBytes(6).toString("hex")}`;
  const pools: Pool[] = [];
  return {
    table,
    admin,
    openPool() {
      const pool = new Pool({ connectionString: adminUrl, application_name: table });
      pool.on("error", () => undefined); // An idle connection was lost; the next one is new.
      pools.push(pool);
      return pool;
    },
    async terminate() {
      await admin.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1",
        [table],
      );
    },
    async pastTheGuard(statement) {
      const off = `alter table ${table} disable trigger user`;
      const on = `alter table ${table} enable trigger user`;
      await admin.query(`begin; ${off}; ${statement}; ${on}; commit`);
    },
    async users() {
      const { rows } = await admin.query<{ id: string; email: string | null }>(
        `select id, email from ${table} where not deleted order by id`,
      );
      return new Map(rows.map(({ id, email }) => [id, email ?? ""]));
    },
    async [Symbol.asyncDispose]() {
      await admin.query(`drop table if exists ${table}, ${table}_state, ${table}_tombstones`);
      await admin.query(`drop table if exists ${table}_accounts`);
      await admin.query(`drop sequence if exists ${table}_refusals`);
      await admin.query(`drop function if exists ${table}_guard`);
      await Promise.all([admin, ...pools].map((pool) => pool.end()));
    },
  };
}
