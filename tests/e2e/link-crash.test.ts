import { createGrpcTransport } from "@connectrpc/connect-node";
import * as bcrypt from "bcrypt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AppDatabase, openAppDatabase } from "../support/app-database.ts";
import { logIn, openSite, unique, uniqueEmail } from "../support/builders.ts";
import { askLink, type LinkApp, openLinkApp } from "../support/link-app.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const PASSWORD = "four quiet otters swim";
const ROWS = 10_000;
const KILLS = 4;
const WAIT_MS_MAX = 60_000;

let home: SiteOnService;
let database: AppDatabase;
let app: LinkApp;
let domain: string;

beforeAll(async () => {
  [home, database] = await Promise.all([openSiteOnService(), openAppDatabase()]);
  const environment = { SIGNET_URL: home.service.url, SIGNET_KEY: home.site.key };
  app = await openLinkApp({ url: database.url, idType: "bigint", environment });
  domain = `${unique("app")}.example.com`;
  await app.pool.query(
    `insert into ${app.table} (id, email, password_hash, confirmed_at)
     select n, 'Person' || n || '@${domain}', $2, now() from generate_series(1, $1) as n`,
    [ROWS, await bcrypt.hash(PASSWORD, 4)],
  );
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await Promise.all([home, database].map((each) => each[Symbol.asyncDispose]()));
});

async function countLogged(): Promise<number> {
  const { rows } = await app.pool.query<{ count: number }>(
    `select count(*)::integer as count from ${app.table}_link_log`,
  );
  return rows[0]?.count ?? 0;
}

describe("an apply that is killed between Signet's commit and its own", () => {
  test("knows afterwards whom it has created, and so does the rollback", async () => {
    const { url, operatorKey } = home.service;
    const site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
    const environment = { SIGNET_URL: url, SIGNET_KEY: site.key };
    await using small = await openLinkApp({ url: database.url, schema: "small", environment });
    const countUsers = () => site.backend.users.countUsers({});
    await small.add(...["1", "2", "3"].map((id) => ({ id, email: uniqueEmail() })));
    await small.pool.query(`alter table ${small.table} add column auth_user_id uuid;
      create unique index on ${small.table} (auth_user_id)`);
    const holder = await small.pool.connect();
    await holder.query(`begin; select from ${small.table} where id = 2 for update`);

    const program = small.startLink("apply");
    await until(async () => (await countUsers()).count === 3n, WAIT_MS_MAX);
    await program.stop("SIGKILL");
    await holder.query("rollback");
    holder.release();
    const links = await small.links();
    // Its session lasts until the server has noticed.
    const applied = await until(async () => {
      const result = await askLink(small, "apply");
      return result.exitCode === 2 ? undefined : result;
    }, WAIT_MS_MAX);
    const outcomes = [...(await small.log()).values()].map(({ outcome }) => outcome);
    const undone = await askLink(small, "rollback", "--yes", "--delete-users");

    expect([...links.values()]).toEqual([null, null, null]);
    expect(applied).toMatchObject({ exitCode: 0, answer: { created: 3, matched: 0 } });
    expect(outcomes).toEqual(["created", "created", "created"]);
    expect(undone.answer).toMatchObject({ unlinked: 3, deleted: 3, kept: 0 });
    expect((await countUsers()).count).toBe(0n);
  });
});

describe("a rollback that was begun", () => {
  test("has to come to its end before anything is linked again", async () => {
    const { url, operatorKey } = home.service;
    const site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
    const environment = { SIGNET_URL: url, SIGNET_KEY: site.key };
    await using small = await openLinkApp({ url: database.url, schema: "begun", environment });
    await small.add(...["1", "2"].map((id) => ({ id, email: uniqueEmail() })));
    await small.pool.query(`alter table ${small.table} add column auth_user_id uuid`);
    await small.link("apply");
    const holder = await small.pool.connect();
    await holder.query(`begin; select from ${small.table} where id = 2 for update`);

    const program = small.startLink("rollback", "--yes");
    await until(async () => {
      const { rows } = await small.pool.query(
        `select from ${small.table}_link_log_runs where rollback_start_time is not null`,
      );
      return rows.length > 0;
    }, WAIT_MS_MAX);
    await program.stop("SIGKILL");
    await holder.query("rollback");
    holder.release();
    const refused = await until(async () => {
      const result = await askLink(small, "apply");
      return result.stderr.includes("being linked") ? undefined : result;
    }, WAIT_MS_MAX);
    const undone = await askLink(small, "rollback", "--yes");

    expect(refused).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("a rollback was begun"),
    });
    expect(undone).toMatchObject({ exitCode: 0, answer: { unlinked: 2 } });
    expect(await askLink(small, "apply")).toMatchObject({ exitCode: 0, answer: { matched: 2 } });
  });
});

describe(`an apply to ${ROWS} rows`, () => {
  test("that is killed again and again goes on where it was, and does nothing twice", async () => {
    for (let kill = 1; kill <= KILLS; kill++) {
      const before = kill === 1 ? 0 : await countLogged();
      const program = app.startLink("apply", "--batch", "100");
      await until(async () => (await countLogged()) > before + 400, WAIT_MS_MAX);
      await program.stop("SIGKILL");
    }

    const applied = await askLink(app, "apply");
    const verified = await askLink(app, "verify", "--complete");
    const { count } = await home.site.backend.users.countUsers({});
    const { rows } = await app.pool.query(
      `select outcome, count(*)::integer as rows, count(distinct new_link)::integer as users
         from ${app.table}_link_log group by outcome`,
    );

    expect(applied).toMatchObject({ exitCode: 0 });
    expect(verified).toMatchObject({ exitCode: 0, answer: { linked: ROWS, unlinked: 0 } });
    expect(count).toBe(BigInt(ROWS));
    // A User whose row was not linked any more in time is known to be the run's own.
    expect(rows).toEqual([{ outcome: "created", rows: ROWS, users: ROWS }]);
    for (const id of [1, ROWS / 2, ROWS]) {
      await logIn(home.site.backend, `person${id}@${domain}`, PASSWORD);
    }
  });

  test("is taken back by a rollback that is killed and run again", async () => {
    const program = app.startLink("rollback", "--yes");
    await until(async () => {
      const { rows } = await app.pool.query<{ undone: number }>(
        `select count(undo_time)::integer as undone from ${app.table}_link_log`,
      );
      return (rows[0]?.undone ?? 0) > 0;
    }, WAIT_MS_MAX);
    await program.stop("SIGKILL");

    const undone = await askLink(app, "rollback", "--yes");
    const { rows } = await app.pool.query(
      `select undo_outcome, count(*)::integer as rows
         from ${app.table}_link_log group by undo_outcome`,
    );

    // The command may have come to its end before it was killed.
    expect([0, 2]).toContain(undone.exitCode);
    expect(rows).toEqual([{ undo_outcome: "unlinked", rows: ROWS }]);
    expect(await app.columns()).not.toContain("auth_user_id");
  });
});
