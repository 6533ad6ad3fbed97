import { setTimeout as sleep } from "node:timers/promises";
import { test } from "vitest";
import { createAuditChain, chainNow } from "../../src/domain/audit-chain.ts";
import { recordAct } from "../../src/domain/audit.ts";
import { newId, type SiteId, type UserId } from "../../src/model/id.ts";
import { chainAuditEvents } from "../../src/store/audit-events.ts";
import { listEvents, listChain } from "../../src/store/audit-lists.ts";
import { createBareSite } from "../support/bare-site.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { openTestDatabase, runAsAdmin } from "../support/database.ts";
import { silentLog } from "../support/postgres.ts";

test("perf", { timeout: 240_000 }, async () => {
  await using database = await openTestDatabase();
  const { db } = database;
  const siteId = await createBareSite(db);
  const generator = createChangeGenerator(db, siteId);
  const ids = await generator.fill(500);
  async function writeFor(ms: number): Promise<number> {
    const end = performance.now() + ms;
    let count = 0;
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        while (performance.now() < end) {
          const id = ids[Math.floor(Math.random() * ids.length)] as UserId;
          await generator.update(id, {
            hold: undefined as never,
          });
          await db.inSite(siteId, (tx) =>
            recordAct(tx, siteId, { kind: "system" }, { kind: "user.updated", subjectId: id, clientIp: "192.0.2.1", details: { fields: "email" } }, new Date()),
          );
          count += 1;
        }
      }),
    );
    return (count * 1000) / ms;
  }
  await writeFor(1000);
  const on: number[] = [];
  const off: number[] = [];
  for (let round = 0; round < 6; round += 1) {
    off.push(await writeFor(2500));
    await chainNow(db);
    const chain = createAuditChain(db, silentLog);
    await chain.start();
    on.push(await writeFor(2500));
    await chain.stop();
    await chainNow(db);
  }
  const med = (xs: number[]) => xs.toSorted((a, b) => a - b)[Math.floor(xs.length / 2)] ?? 0;
  console.log("on", on.map(Math.round), "off", off.map(Math.round), "ratio", med(on) / med(off));

  // A backlog and large tables.
  await runAsAdmin(
    database.adminUrl,
    `insert into signet.audit_events (site_id, id, kind, actor_kind, actor_id, subject_kind, subject_id, details, client_ip, create_time)
     select '${siteId}', (lpad(to_hex((extract(epoch from now())*1000)::bigint - 1000000 + n), 12, '0') || '7000800000000000' || lpad(to_hex(n), 4, '0'))::uuid,
            case when n % 1000 = 0 then 'user.deleted' else 'user.updated' end, 'user', gen_random_uuid()::text, 'user', gen_random_uuid(), '{"fields":"email"}', '192.0.2.1', now()
       from generate_series(1, 300000) n; analyze signet.audit_events`,
  );
  const across = { query: db.acrossSites };
  const times: number[] = [];
  const t0 = performance.now();
  for (;;) {
    const a = performance.now();
    const n = await chainAuditEvents(across, 2000);
    times.push(performance.now() - a);
    if (n < 2000) break;
  }
  console.log("backlog of 300k", Math.round(performance.now() - t0), "ms; step median", med(times), "max", Math.max(...times), "first", times[0], "last", times.at(-1));
  const idle: number[] = [];
  for (let n = 0; n < 30; n += 1) {
    const a = performance.now();
    await chainAuditEvents(across, 2000);
    idle.push(performance.now() - a);
  }
  console.log("idle step", med(idle));
  const one: number[] = [];
  for (let n = 0; n < 30; n += 1) {
    await db.inSite(siteId, (tx) => recordAct(tx, siteId, { kind: "system" }, { kind: "user.updated", subjectId: newId<UserId>() }, new Date()));
    const a = performance.now();
    await chainAuditEvents(across, 2000);
    one.push(performance.now() - a);
  }
  console.log("step of one", med(one));
  const none = { actorId: undefined, subjectId: undefined, kinds: [], timeFrom: undefined, timeUntil: undefined };
  const page = { after: undefined, oldestFirst: false, limit: 50 };
  const questions: [string, (tx: never) => Promise<unknown>][] = [
    ["newest", (tx) => listEvents(tx, siteId, none, page)],
    ["kinds rare", (tx) => listEvents(tx, siteId, { ...none, kinds: ["user.deleted", "x.y", "user.created"] }, page)],
    ["kind oldest", (tx) => listEvents(tx, siteId, { ...none, kinds: ["user.deleted"] }, { ...page, oldestFirst: true })],
    ["subject none", (tx) => listEvents(tx, siteId, { ...none, subjectId: newId<UserId>() }, page)],
    ["actor none", (tx) => listEvents(tx, siteId, { ...none, actorId: newId<UserId>() }, page)],
    ["actor+kind none", (tx) => listEvents(tx, siteId, { ...none, actorId: newId<UserId>(), kinds: ["user.updated"] }, page)],
    ["until past", (tx) => listEvents(tx, siteId, { ...none, timeUntil: new Date(Date.now() - 999_000) }, page)],
    ["chain page of 500", (tx) => listChain(tx, siteId, { from: 200_000, limit: 500 })],
  ];
  for (const [name, ask] of questions) {
    const took: number[] = [];
    for (let n = 0; n < 7; n += 1) {
      const a = performance.now();
      await db.inSite(siteId, (tx) => ask(tx as never), { readOnly: true });
      took.push(performance.now() - a);
    }
    console.log(name, med(took).toFixed(2), "ms");
  }
  await sleep(1);
});
