import { randomUUID } from "node:crypto";
import { Pool, type PoolClient, type PoolConfig } from "pg";
import type { Principal } from "../../src/client/index.ts";
import { type AppDatabase, openAppDatabase } from "./app-database.ts";
import { unique } from "./builders.ts";
import { blocksOf } from "./guide-blocks.ts";

/** The database of a service that keeps trades, as docs/guides/row-level-security.md makes it. */
export interface TradesDatabase extends AsyncDisposable {
  /** The owner's, whom no policy binds. */
  readonly owner: AppDatabase;
  /** The role's of the service. */
  readonly url: string;
  /** The role's of its jobs. */
  readonly jobsUrl: string;
  /** Opens a pool as the service has it; it is closed with the database. */
  openPool(settings?: PoolConfig): Pool;
}

/** Runs the statements of the guide in a database of its own, with roles of its own. */
export async function openTradesDatabase(): Promise<TradesDatabase> {
  const owner = await openAppDatabase();
  const role = unique("live_data").replace("-", "_");
  const [tables = "", jobs = ""] = blocksOf("row-level-security", "sql");
  for (const block of [tables, jobs]) {
    await owner.pool.query(block.replaceAll("live_data", role));
  }
  const pools: Pool[] = [];
  const url = urlOf(owner.url, role, "change-me");
  return {
    owner,
    url,
    jobsUrl: urlOf(owner.url, `${role}_jobs`, "change-me-too"),
    openPool(settings = {}) {
      const pool = new Pool({ connectionString: url, ...settings });
      pool.on("error", () => undefined); // An idle connection was lost; the next one is new.
      pools.push(pool);
      return pool;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(pools.filter((pool) => !pool.ended).map((pool) => pool.end()));
      await owner.pool.query(`drop owned by ${role}, ${role}_jobs`);
      await owner.pool.query(`drop role ${role}, ${role}_jobs`);
      await owner[Symbol.asyncDispose]();
    },
  };
}

/** Returns somebody whom no other test has. */
export function somebody(): Principal {
  return { userId: randomUUID(), siteId: randomUUID() };
}

/** Inserts a trade in the name of whoever the transaction is. */
export async function buy(db: Pick<PoolClient, "query">, symbol: string): Promise<void> {
  await db.query("insert into trades (symbol, quantity) values ($1, 1)", [symbol]);
}

/** Lists the trades that may be seen. */
export async function symbolsIn(db: Pick<PoolClient, "query">): Promise<string[]> {
  const { rows } = await db.query<{ symbol: string }>("select symbol from trades order by id");
  return rows.map(({ symbol }) => symbol);
}

function urlOf(ownerUrl: string, role: string, password: string): string {
  const url = new URL(ownerUrl);
  url.username = role;
  url.password = password;
  return url.href;
}
