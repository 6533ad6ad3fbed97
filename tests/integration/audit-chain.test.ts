import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { recordAct } from "../../src/domain/audit.ts";
import { chainNow, createAuditChain } from "../../src/domain/audit-chain.ts";
import { newId, type SiteId, type UserId } from "../../src/model/id.ts";
import { chainAuditEvents } from "../../src/store/audit-events.ts";
import { createDatabase, type Database } from "../../src/store/database.ts";
import { sql } from "../../src/store/sql.ts";
import { createBareSite } from "../support/bare-site.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { silentLog } from "../support/postgres.ts";
import { rejection, until } from "../support/waiting.ts";

const databases: TestDatabase[] = [];
let database: TestDatabase;
let db: Database;
let siteId: SiteId;

beforeEach(async () => {
  database = await openTestDatabase();
  databases.push(database);
  db = database.db;
  siteId = await createBareSite(db);
});

afterAll(() => Promise.all(databases.map((each) => each[Symbol.asyncDispose]())));

describe("the chain of the audit log", () => {
  test("has every event once, whatever order commits finish in", async () => {
    const others = [createDatabase({ url: database.appUrl, log: silentLog }), db];
    const sites = [siteId, await createBareSite(db)];
    const chains = others.map((each) => createAuditChain(each, silentLog));
    await Promise.all(chains.map((chain) => chain.start()));
    const stopping = new AbortController();
    const racing = others.map((each) => keepChaining(each, stopping.signal));

    const written = await Promise.all(Array.from({ length: 16 }, () => writeActs(sites, 60)));
    stopping.abort();
    await Promise.all(racing);
    await chainNow(db);
    await Promise.all(chains.map((chain) => chain.stop()));
    await others[0]?.close();

    for (const site of sites) {
      const links = await linksOf(site);
      const committed = written.flat().filter((act) => act.siteId === site);
      expect(links.map(({ id }) => id).toSorted()).toEqual(
        committed.map(({ subjectId }) => subjectId).toSorted(),
      );
      expect(findBreak(links)).toBeUndefined();
    }
  });

  test("keeps the numbers that it has given", async () => {
    await Promise.all(Array.from({ length: 4 }, () => writeActs([siteId], 10)));
    await chainNow(db);
    const before = await linksOf(siteId);

    await writeActs([siteId], 10);
    await chainNow(db);

    const after = await linksOf(siteId);
    expect(before.length).toBeGreaterThan(0);
    expect(after.length).toBeGreaterThan(before.length);
    expect(after.slice(0, before.length)).toEqual(before);
  });

  test("goes on while a transaction stays open, and takes its event when it ends", async () => {
    const held = Promise.withResolvers<void>();
    const written = Promise.withResolvers<void>();
    const late = writeAct(siteId, async () => {
      written.resolve();
      await held.promise;
    });
    await written.promise;
    const early = [];
    for (let n = 0; n < 3; n += 1) {
      early.push(await writeAct(siteId));
      await chainNow(db);
    }

    const meanwhile = await linksOf(siteId);
    held.resolve();
    await late;
    await chainNow(db);

    expect(meanwhile.map(({ id }) => id)).toEqual(early);
    expect((await linksOf(siteId)).map(({ id }) => id)).toEqual([...early, await late]);
  });

  test("walks through a backlog, and through one large transaction, in small steps", async () => {
    await writeActs([siteId], 20);
    await db.inSite(siteId, async (tx) => {
      for (let n = 0; n < 50; n += 1) await act(tx, siteId, newId<UserId>());
    });
    const total = await countEvents();
    const counts: number[] = [];

    while (counts.at(-1) !== 0) counts.push(await step(7));

    const links = await linksOf(siteId);
    expect(Math.max(...counts)).toBe(7);
    expect(links).toHaveLength(total);
    expect(findBreak(links)).toBeUndefined();
  });

  test("goes on in a database with another numbering of transactions", async () => {
    await writeActs([siteId], 5);
    await chainNow(db);
    const waiting = await writeAct(siteId);
    // As a dump that was loaded into a new server finds itself: far ahead, and not its own.
    await runAsAdmin(
      database.adminUrl,
      `update signet.audit_state set system_identifier = 1,
              snapshot = '4000000000:4000000000:';
       update signet.audit_events set xid = '3999999999';
       update signet.audit_events set xid = '4000000001' where subject_id = '${waiting}'`,
    );

    await step(1_000);
    const next = await writeAct(siteId);
    await chainNow(db);

    const links = await linksOf(siteId);
    expect(links.slice(-2).map(({ id }) => id)).toEqual([waiting, next]);
    expect(links).toHaveLength(await countEvents());
    expect(findBreak(links)).toBeUndefined();
  });

  test("is made by one process at a time", async () => {
    await step(10); // The first one ever waits, to be sure of its database.
    const client = new Client({ connectionString: database.adminUrl });
    await client.connect();
    await client.query("begin; select pg_advisory_xact_lock(5678, 2)");

    const whileHeld = await step(10);
    await client.end();
    const afterwards = await until(async () => (await step(10)) >= 0);

    expect(whileHeld).toBe(-1);
    expect(afterwards).toBe(true);
  });
});

describe("the erasure beside the chain", () => {
  test("goes on in steps where a User has many events, and takes what came late", async () => {
    const generator = createChangeGenerator(db, siteId);
    const userId = await generator.create();
    for (let n = 0; n < 8; n += 1) await writeAct(siteId, undefined, userId);
    await chainNow(db);
    const before = await linksOf(siteId);
    await generator.remove(userId);
    await writeAct(siteId, undefined, userId); // By a call that knew the User before.

    while ((await step(3)) !== 0);

    const [left] = await runAsAdmin<{ values: number; salts: number }>(
      database.adminUrl,
      `select count(*) filter (where client_ip <> '' or personal is not null)::integer as values,
              count(salt)::integer as salts
         from signet.audit_events where subject_id = '${userId}'`,
    );
    const links = await linksOf(siteId);
    expect(left).toEqual({ values: 0, salts: 0 });
    expect(links.slice(0, before.length)).toEqual(before);
    expect(findBreak(links)).toBeUndefined();
  });

  test("is refused for a User who is not deleted, and for one of another Site", async () => {
    const userId = await createChangeGenerator(db, siteId).create();
    const other = await createBareSite(db);
    const erase = (site: SiteId) =>
      db.inSite(site, (tx) =>
        tx.query({ text: `select signet.erase_audit_personal('${userId}', 10)` }),
      );

    expect(await rejection(erase(siteId))).toMatchObject({ code: "42501" });
    expect(await rejection(erase(other))).toMatchObject({ code: "42501" });
  });

  test.each([
    "update signet.audit_events set kind = 'x.y'",
    "update signet.audit_events set client_ip = ''",
    "delete from signet.audit_events",
    "truncate signet.audit_events",
    "update signet.audit_links set hash = ''",
    "delete from signet.audit_links",
    "insert into signet.audit_links select l.* from signet.audit_links l",
    "update signet.audit_heads set sequence = 0",
    "select * from signet.audit_heads",
    "update signet.audit_state set seq = 0",
    "delete from signet.audit_erasures",
    `insert into signet.audit_events
       (xid, site_id, id, kind, actor_kind, actor_id, subject_kind, details, client_ip, create_time)
     select '1', site_id, gen_random_uuid(), kind, actor_kind, actor_id, subject_kind, details,
            client_ip, create_time from signet.audit_events`,
    "select signet.remove_audit_personal(gen_random_uuid(), gen_random_uuid(), 1)",
    "select signet.rebase_audit_chain(1, 1)",
  ])("is all that the application may alter: %s", async (statement) => {
    const altering = db.inSite(siteId, (tx) => tx.query({ text: statement }));

    expect(await rejection(altering)).toMatchObject({ code: "42501" });
  });
});

interface Link {
  readonly id: string;
  readonly sequence: number;
  readonly record: Buffer;
  readonly previous_hash: Buffer;
  readonly hash: Buffer;
}

async function step(limit: number): Promise<number> {
  return await chainAuditEvents({ query: db.acrossSites }, limit);
}

async function keepChaining(own: Database, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await chainAuditEvents({ query: own.acrossSites }, 5);
    await sleep(Math.random() * 5);
  }
}

/** Writes acts one after the other: some are held for a while, some taken back. */
async function writeActs(sites: readonly SiteId[], count: number) {
  const written: { readonly siteId: SiteId; readonly subjectId: UserId }[] = [];
  for (let n = 0; n < count; n += 1) {
    const site = sites[Math.floor(Math.random() * sites.length)];
    if (!site) continue;
    const isTakenBack = Math.random() < 0.1;
    const holdMs = Math.random() < 0.5 ? Math.random() * 20 : 0;
    const writing = writeAct(site, async () => {
      if (holdMs > 0) await sleep(holdMs);
      if (isTakenBack) throw new Error("taken back");
    });
    const subjectId = await writing.catch(() => undefined);
    if (subjectId) written.push({ siteId: site, subjectId });
  }
  return written;
}

async function writeAct(
  site: SiteId,
  hold?: () => Promise<void>,
  subjectId = newId<UserId>(),
): Promise<UserId> {
  await db.inSite(site, async (tx) => {
    await act(tx, site, subjectId);
    await tx.query(sql`select`); // What was enqueued is written before the wait.
    await hold?.();
  });
  return subjectId;
}

async function act(
  tx: Parameters<typeof recordAct>[0],
  site: SiteId,
  subjectId: UserId,
): Promise<void> {
  const what = { kind: "user.updated", subjectId, details: { fields: ["email"] } };
  await recordAct(tx, site, { kind: "system" }, { ...what, clientIp: "192.0.2.1" }, new Date());
}

async function linksOf(site: SiteId): Promise<Link[]> {
  return await runAsAdmin<Link>(
    database.adminUrl,
    `select e.subject_id as id, l.sequence::integer, l.record, l.previous_hash, l.hash
       from signet.audit_links l
       join signet.audit_events e on e.site_id = l.site_id and e.id = l.event_id
      where l.site_id = '${site}' order by l.sequence`,
  );
}

async function countEvents(): Promise<number> {
  const rows = await runAsAdmin<{ count: number }>(
    database.adminUrl,
    "select count(*)::integer as count from signet.audit_events",
  );
  return rows[0]?.count ?? 0;
}

/** The first number at which the chain is not dense or not whole. */
function findBreak(links: readonly Link[]): number | undefined {
  let previous: Buffer = Buffer.alloc(32);
  for (const [n, link] of links.entries()) {
    const hash = createHash("sha256").update(previous).update(link.record).digest();
    const follows = link.sequence === n + 1 && link.previous_hash.equals(previous);
    if (!follows || !link.hash.equals(hash)) return n + 1;
    previous = link.hash;
  }
  return undefined;
}
