import { Pool } from "pg";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import {
  createPostgresMirror,
  createUserMirror,
  type UserMirrorEvent,
} from "../../../src/client/index.ts";
import { idOf, startSiteModel } from "../../conformance/site-model.ts";
import { openMirrorTable } from "../../support/mirror-table.ts";
import { rejection, until } from "../../support/waiting.ts";

const NOTHING = { missing: 0, stale: 0, extra: 0, altered: 0, repaired: 0 };

async function begin(count: number, tombstones: "keep" | "delete" = "keep") {
  const site = await startSiteModel();
  const place = openMirrorTable();
  for (let n = 1; n <= count; n++) site.put(idOf(n));
  const { table, openPool } = place;
  const events: UserMirrorEvent[] = [];
  const mirror = createUserMirror({
    client: site.client,
    pool: openPool(),
    table,
    tombstones,
    onEvent: (event) => events.push(event),
  });
  onTestFinished(async () => {
    await mirror.close();
    await site[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });
  await until(() => mirror.metrics().sumsEqual);
  const isRight = async () => {
    const [present, wanted] = [await place.users(), site.users()];
    return JSON.stringify([...present]) === JSON.stringify([...wanted]);
  };
  return { site, place, table, mirror, events, isRight };
}

describe("what somebody wrote with the guard switched off", () => {
  test.each([
    ["a row of nobody", "extra", (table: string) => copyRow(table, idOf(1), idOf(99))],
    ["a row less", "missing", (table: string) => `delete from ${table} where id = '${idOf(2)}'`],
    [
      "a lower version",
      "stale",
      (table: string) => `update ${table} set version = 0 where id = '${idOf(2)}'`,
    ],
    [
      "a version that never was",
      "altered",
      (table: string) => `update ${table} set version = 99 where id = '${idOf(2)}'`,
    ],
    [
      "a deletion that never was",
      "missing",
      (table: string) => `update ${table} set deleted = true where id = '${idOf(2)}'`,
    ],
  ] as const)("is found by a comparison: %s", async (_, difference, statement) => {
    const { place, table, mirror, events, isRight } = await begin(6);
    await place.pastTheGuard(statement(table));
    // The sums of the state know nothing of it.
    const compared = mirror.metrics().checkpointsCompared;
    await until(() => mirror.metrics().checkpointsCompared > compared + 1);
    const blind = mirror.metrics().sumsEqual;

    const report = await mirror.reconcile();
    const repaired = await isRight();
    const again = await mirror.reconcile({ deep: true });
    const comparedThen = mirror.metrics().checkpointsCompared;
    await until(() => mirror.metrics().checkpointsCompared > comparedThen + 2);

    expect(blind).toBe(true);
    expect(report).toMatchObject({ ...NOTHING, [difference]: 1, repaired: 1 });
    expect(repaired).toBe(true);
    expect(again).toMatchObject(NOTHING);
    expect(mirror.metrics()).toMatchObject({ sumsEqual: true, outOfSync: 0 });
    expect(events).toEqual([
      { type: "user_differs", userId: expect.any(String), difference, repaired: true },
    ]);
  });

  test("is found by a deep comparison where it left the version alone", async () => {
    const { place, table, mirror, isRight } = await begin(6);
    await place.pastTheGuard(`update ${table} set roles = '{admin}' where id = '${idOf(2)}'`);

    const shallow = await mirror.reconcile();
    const deep = await mirror.reconcile({ deep: true });
    const { rows } = await place.admin.query(`select roles from ${table} where roles <> '{}'`);

    expect(shallow).toMatchObject(NOTHING);
    expect(deep).toMatchObject({ ...NOTHING, altered: 1, repaired: 1 });
    expect(await isRight()).toBe(true);
    expect(rows).toEqual([]);
  });

  test("is found in tombstones, too", async () => {
    const { site, place, table, mirror, isRight } = await begin(6);
    site.remove(idOf(3));
    await until(isRight);
    await place.pastTheGuard(`update ${table} set email = 'x@example.com' where deleted`);

    const deep = await mirror.reconcile({ deep: true });
    const again = await mirror.reconcile({ deep: true });
    const { rows } = await place.admin.query(`select email from ${table} where deleted`);

    expect(deep).toMatchObject({ ...NOTHING, altered: 1, repaired: 1 });
    expect(again).toMatchObject(NOTHING);
    expect(rows).toEqual([{ email: null }]);
  });

  test("leaves an app's own columns out of the comparison", async () => {
    const { place, table, mirror } = await begin(3);
    await place.admin.query(`alter table ${table} add column plan text not null default 'free'`);
    await place.admin.query(`update ${table} set plan = 'gold'`);

    expect(await mirror.reconcile({ deep: true })).toMatchObject(NOTHING);
  });
});

test("the content of a row is the same to sessions with other settings", async () => {
  const { place, table, site, mirror } = await begin(3);
  site.remove(idOf(3));
  await mirror.waitFor({ userId: idOf(3), version: 2n });
  const options = "-c timezone=Asia/Kathmandu -c datestyle=German -c bytea_output=escape";
  const pool = new Pool({ connectionString: inject("postgres").adminUrl, options });
  onTestFinished(() => pool.end());

  const altered = await createPostgresMirror({ pool, table }).listAltered("");
  const { rows } = await place.admin.query(`select max(id::text) as last from ${table}`);

  expect(altered).toEqual({ rows: [], next: rows[0]?.last });
});

test("the hash of the content is guarded like the content", async () => {
  const { place, table, mirror } = await begin(1);

  const write = place.admin.query(`update ${table} set mirror_content = 0`);

  expect(await rejection(write)).toMatchObject({ code: "42501" });
  expect(await mirror.foreignWrites()).toBe(1n);
});

test.each(["keep", "delete"] as const)(
  "a deletion that was missed is made up for (tombstones: %s)",
  async (tombstones) => {
    const { site, mirror, isRight } = await begin(6, tombstones);
    site.faults.noSums = true;
    site.removeSilently(idOf(4));

    const report = await mirror.reconcile();

    expect(report).toMatchObject({ ...NOTHING, extra: 1, repaired: 1 });
    expect(await isRight()).toBe(true);
    site.faults.noSums = false;
    const compared = mirror.metrics().checkpointsCompared;
    await until(() => mirror.metrics().checkpointsCompared > compared + 2);
    expect(mirror.metrics()).toMatchObject({ sumsEqual: true, outOfSync: 0 });
  },
);

function copyRow(table: string, from: string, to: string): string {
  return `insert into ${table} (id, site_id, version, deleted, state, email_verified, roles,
            mfa_enabled, deletion_protected, mirror_epoch, mirror_scope, mirror_content)
          select '${to}', site_id, version, deleted, state, email_verified, roles,
            mfa_enabled, deletion_protected, mirror_epoch, mirror_scope, mirror_content
            from ${table} where id = '${from}'`;
}
