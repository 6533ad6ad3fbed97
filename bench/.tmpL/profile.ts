import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { createSignetClient } from "../../src/client/index.ts";
import { createDataFolder } from "../../src/demo/data-folder.ts";
import { saveNewUser, write } from "../../src/domain/write.ts";
import { newId, type UserId } from "../../src/model/id.ts";
import { newUser } from "../../src/model/user.ts";
import { firstVersion } from "../../src/store/users.ts";
import { startOwnService } from "../own-service.ts";
import { percentile } from "../statistics.ts";

const folder = await createDataFolder();
const res = new AsyncDisposableStack();
res.defer(() => folder.remove());
const now = () => performance.now();
let sent = 0,
  answered = 0;
const steps: number[] = [];
const own = await startOwnService(res, {
  dataDir: folder.path,
  observe: (db) => {
    const follow = async (st: any) => {
      const t = now();
      const r = await (db as any).validation.acrossSites(st);
      if (st.text.includes("follow_changes")) {
        if (r.rows[0]?.pos !== null) {
          sent = t;
          answered = now();
          steps.push(answered - t);
        }
      }
      return r;
    };
    const f2 = (db as any).reader
      ? {
          query: async (st: any) => {
            const t = now();
            const r = await (db as any).reader.query(st);
            if (r.rows[0]?.pos !== null) {
              sent = t;
              answered = now();
              steps.push(answered - t);
            }
            return r;
          },
        }
      : undefined;
    return {
      ...db,
      validation: { ...db.validation, acrossSites: follow as any },
      ...(f2 && { reader: f2 }),
    } as any;
  },
});
const client = createSignetClient({ url: own.url, key: own.siteKey });
const arrivals = new Map<string, number>();
const live = Promise.withResolvers<void>();
(async () => {
  for await (const i of client.subscribe({ start: "head" })) {
    if (i.type === "hello") live.resolve();
    if (i.type === "changes") for (const c of i.changes) arrivals.set(c.user?.id ?? "", now());
  }
})();
await live.promise;
async function run(gap: number, count: number) {
  const d: Record<string, number[]> = {
    commitToSent: [],
    step: [],
    toClient: [],
    total: [],
    commit: [],
  };
  for (let n = 0; n < count; n++) {
    let tBeforeCommit = 0;
    const createTime = new Date();
    const id = newId<UserId>(createTime);
    await write(own.service.deps, own.siteId, async (tx) => {
      const version = await firstVersion(tx, own.siteId);
      await saveNewUser(
        own.service.deps,
        tx,
        newUser({ id, siteId: own.siteId, version, createTime, displayName: "Ada" }),
      );
      tBeforeCommit = now();
    });
    const t = now();
    while (!arrivals.has(id)) await new Promise((r) => setImmediate(r));
    const a = arrivals.get(id)!;
    d.commit!.push(t - tBeforeCommit);
    d.commitToSent!.push(sent - t);
    d.step!.push(answered - sent);
    d.toClient!.push(a - answered);
    d.total!.push(a - t);
    await sleep(gap);
  }
  console.log(
    "gap",
    gap,
    Object.entries(d)
      .map(
        ([k, v]) =>
          `${k} p50 ${percentile(v, 0.5).toFixed(2)} p99 ${percentile(v, 0.99).toFixed(2)}`,
      )
      .join(" | "),
  );
}
await run(5, 300);
await run(5, 300);
await run(15, 200);
await run(300, 15);
const c = new Client({ connectionString: own.adminUrl.replace("/postgres", "/signet") });
await c.connect();
async function time(sql: string, n = 300) {
  const v: number[] = [];
  for (let i = 0; i < n; i++) {
    const t = now();
    await c.query(sql);
    v.push(now() - t);
  }
  console.log(sql.slice(0, 90), percentile(v, 0.5).toFixed(3), percentile(v, 0.99).toFixed(3));
}
await own.service.stopReader();
await time("select 1");
await time("select * from signet.follow_changes(9007199254740991, 1)");
await time("select signet.sequence_changes()");
await time("select signet.check_epoch()");
await time("select system_identifier from pg_control_system()");
await time("select pg_walfile_name(pg_current_wal_lsn())");
await c.query("create table public.f (a int)");
await time("insert into public.f values (1)");
await c.query("set synchronous_commit = off");
await time("insert into public.f values (1)");
await c.end();
client.close();
await res.disposeAsync().catch(() => {});
process.exit();
