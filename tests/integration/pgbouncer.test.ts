import { randomUUID } from "node:crypto";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import { newId, type SiteId } from "../../src/model/id.ts";
import { createDatabase, type Database } from "../../src/store/database.ts";
import { type Queryable, sql } from "../../src/store/sql.ts";
import {
  logIn,
  openSite,
  patiently,
  signUp,
  type TestSite,
  uniqueEmail,
} from "../support/builders.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { hasPgBouncer, type PgBouncer, startPgBouncer } from "../support/pgbouncer.ts";
import { silentLog } from "../support/postgres.ts";
import { startService, type TestService } from "../support/service.ts";
import { inParallel } from "../support/site-on-two-processes.ts";
import { rejection, until } from "../support/waiting.ts";
import { openWatch } from "../support/watch.ts";

const CALLS = 400;
/** More than the pools have connections, and few enough to be served within their timeouts. */
const PARALLEL = 24;
/** Fewer than the pools of one process, so that transactions of all Sites share each. */
const POOL_SIZE = 3;

describe.runIf(hasPgBouncer())("through PgBouncer in transaction mode", () => {
  let database: TestDatabase;
  let bouncer: PgBouncer;
  let db: Database;
  let service: TestService;
  let sites: readonly [TestSite, TestSite];

  beforeAll(async () => {
    database = await openTestDatabase();
    bouncer = await startPgBouncer(database.appUrl, { poolSize: POOL_SIZE });
    db = createDatabase({ url: bouncer.url, directUrl: database.appUrl, log: silentLog });
    const env = { DATABASE_DIRECT_URL: database.appUrl, SIGNET_RATE_LIMIT_PERCENT: "100000" };
    service = await startService({ databaseUrl: bouncer.url, env });
    const transport = createGrpcTransport({ baseUrl: service.url });
    const open = () => openSite(transport, service.operatorKey);
    sites = [await open(), await open()];
  }, 60_000);

  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    await db?.close();
    await bouncer?.[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  test("no connection carries a Site over to the next transaction", async () => {
    const current = sql`
      select pg_backend_pid() as backend, current_setting('signet.site_id', true) as site`;
    const backends = new Map<number, Set<string>>();
    const look = async (tx: Queryable, site: string) => {
      const { rows } = await tx.query<{ backend: number; site: string | null }>(current);
      const [row] = rows;
      const seen = backends.get(row?.backend ?? 0) ?? new Set();
      backends.set(row?.backend ?? 0, seen.add(site));
      return row?.site ?? "";
    };
    const named = Array.from({ length: 8 }, () => newId<SiteId>());
    const calls = Array.from({ length: CALLS }, async (_, n) => {
      const site = named[n % named.length] as SiteId;
      if (n % 5 === 0) return ["", await look({ query: db.acrossSites }, "none")];
      const failing = n % 7 === 0;
      const inside = await db
        .inSite(site, async (tx) => {
          const found = await look(tx, site);
          if (failing) await rejection(tx.query(sql`select 1 / 0`)).then(rollBack);
          return found;
        })
        .catch((error: unknown) => (error instanceof RolledBack ? site : Promise.reject(error)));
      return [site, inside];
    });
    const seen = await Promise.all(calls);

    expect(seen.filter(([wanted, found]) => wanted !== found)).toEqual([]);
    expect(backends.size).toBeLessThanOrEqual(POOL_SIZE);
    // Each connection has served many Sites, and calls of none.
    for (const served of backends.values()) expect(served.size).toBeGreaterThan(4);
  });

  test("a statement that names no Site finds no row, whatever came before", async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const siteId = sites[n % 2]?.siteId as SiteId;
        await db.inSite(siteId, (tx) => tx.query(sql`select from signet.users`));
        return String(await rejection(db.acrossSites(sql`select from signet.users`)));
      }),
    );

    for (const problem of outcomes) expect(problem).toMatch(/configuration parameter|uuid/);
  });

  test("parallel calls of two Sites see what is theirs alone", async () => {
    const made = sites.map(() => [] as string[]);
    const turns = Array.from({ length: CALLS / 2 }, (_, n) => n);
    await inParallel(turns, PARALLEL, async (n) => {
      const { siteId, backend } = sites[n % 2] as TestSite;
      const given = { id: randomUUID(), email: uniqueEmail() };
      const { user } = await patiently(() => backend.users.createUser(given));
      made[n % 2]?.push(user?.id ?? "");
      const found = await patiently(() => backend.users.getUser({ userId: given.id }));
      expect(found.user).toMatchObject({ ...given, siteId });
    });

    for (const [n, { backend, siteId }] of sites.entries()) {
      const { users } = await backend.users.listUsers({ pageSize: 500 });
      expect(new Set(users.map((user) => user.siteId))).toEqual(new Set([siteId]));
      expect(users.map(({ id }) => id).sort()).toEqual(made[n]?.sort());
    }
  });

  test("people sign in, tokens are refused at once, and streams follow", async () => {
    const { backend } = sites[0];
    await using watch = openWatch(backend, { start: WatchStart.HEAD });
    await watch.next("hello");
    const person = await signUp(backend);
    await logIn(backend, person.email, person.password);
    await backend.users.updateUser({ userId: person.userId, displayName: "Ada" });
    const { changes } = await watch.next("changeBatch");
    await backend.auth.revokeAllSessions({ userId: person.userId });
    await until(async () => {
      const { result } = await backend.auth.validateToken({ token: person.accessToken });
      return result.case === "invalid";
    });

    expect(changes.length).toBeGreaterThan(0);
    expect(service.stderr()).not.toMatch(/prepared statement|unexpected error/);
  });

  test("listeners and locks of sessions stay off the pooler", async () => {
    const connections = await runAsAdmin<{ name: string; locks: number }>(
      database.adminUrl,
      `select application_name as name,
              (select count(*)::integer from pg_locks l
                where l.pid = a.pid and l.locktype = 'advisory' and a.xact_start is null) as locks
         from pg_stat_activity a
        where datname = current_database() and usename = 'signet_app'`,
    );
    const pooled = connections.filter(({ name }) => /^signet( validation)?$/.test(name));

    expect(connections.map(({ name }) => name)).toContain("signet listener");
    expect(pooled.length).toBeGreaterThan(0);
    expect(pooled.filter(({ locks }) => locks > 0)).toEqual([]);
  });
});

class RolledBack extends Error {}

function rollBack(): never {
  throw new RolledBack();
}
