import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SiteId } from "../../src/model/id.ts";
import { createDatabase, type Database } from "../../src/store/database.ts";
import { type Queryable, sql } from "../../src/store/sql.ts";
import { createBareSite } from "../support/bare-site.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { type FaultProxy, startFaultProxy } from "../support/fault-proxy.ts";
import { silentLog } from "../support/postgres.ts";
import { rejection } from "../support/waiting.ts";

let database: TestDatabase;
let proxy: FaultProxy;
let db: Database;
let siteId: SiteId;

beforeAll(async () => {
  database = await openTestDatabase();
  siteId = await createBareSite(database.db);
  const url = new URL(database.appUrl);
  proxy = await startFaultProxy(Number(url.port));
  url.port = String(proxy.port);
  db = createDatabase({ url: url.href, log: silentLog, poolMax: 2 });
});

afterAll(async () => {
  await db.close();
  await proxy[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe("a database that falls silent", () => {
  test("makes every statement UNAVAILABLE, one after the other and together", async () => {
    await db.inSite(siteId, read);
    proxy.turn("answers_lost");

    const failures = await Promise.all([
      rejection(db.inSite(siteId, read)),
      rejection(db.inSite(siteId, (tx) => Promise.all([read(tx), read(tx)]))),
      rejection(db.readIn(siteId).query(sql`select 1`)),
    ]);
    proxy.turn("sound");

    for (const failure of failures) expect(failure).toMatchObject({ reason: "unavailable" });
    expect(proxy.touched()).toBeGreaterThan(0);
  });

  test("is used again as soon as it answers", async () => {
    await expect(db.inSite(siteId, read)).resolves.toEqual([{ one: 1 }]);
  });
});

async function read(tx: Queryable): Promise<unknown> {
  return (await tx.query(sql`select 1 as one`)).rows;
}
