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
const stepLog: { sent: number; answered: number; ids: string[] }[] = [];
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
              stepLog.push({ sent: t, answered, ids: r.rows.map((x: any) => x.user_id) });
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

const log: { sent: number; answered: number; rows: number; ids: Set<string> }[] = [];
const followQ = own.service.deps.db as any;
async function rate(perSecond: number, count: number) {
  steps.length = 0;
  stepLog.length = 0;
  const begin = now();
  const answeredAt = new Map<string, number>();
  const lag: number[] = [];
  let last = now();
  const iv = setInterval(() => {
    const t = now();
    lag.push(t - last - 5);
    last = t;
  }, 5);
  const elu0 = performance.eventLoopUtilization();
  const ws: Promise<void>[] = [];
  for (let n = 0; n < count; n++) {
    const w = begin + ((n + Math.random()) * 1000) / perSecond - now();
    if (w > 0) await sleep(w);
    const createTime = new Date();
    const id = newId<UserId>(createTime);
    ws.push(
      write(own.service.deps, own.siteId, async (tx) => {
        const version = await firstVersion(tx, own.siteId);
        await saveNewUser(
          own.service.deps,
          tx,
          newUser({ id, siteId: own.siteId, version, createTime, displayName: "Ada" }),
        );
      }).then(() => void answeredAt.set(id, now())),
    );
  }
  await Promise.all(ws);
  const took = now() - begin;
  while ([...answeredAt.keys()].some((id) => !arrivals.has(id))) await sleep(5);
  clearInterval(iv);
  const elu = performance.eventLoopUtilization(elu0).utilization;
  const d: Record<string, number[]> = { wait: [], step: [], toClient: [], total: [] };
  for (const s of stepLog)
    for (const id of s.ids) {
      const t = answeredAt.get(id);
      if (!t) continue;
      d.wait!.push(s.sent - t);
      d.step!.push(s.answered - s.sent);
      d.toClient!.push(arrivals.get(id)! - s.answered);
      d.total!.push(arrivals.get(id)! - t);
    }
  console.log(
    "rate",
    perSecond,
    "real",
    ((count / took) * 1000).toFixed(0),
    "steps",
    stepLog.length,
    "elu",
    elu.toFixed(2),
    "lag p50",
    percentile(lag, 0.5).toFixed(1),
    "p99",
    percentile(lag, 0.99).toFixed(1),
    Object.entries(d)
      .map(
        ([k, v]) =>
          `${k} p50 ${percentile(v, 0.5).toFixed(2)} p99 ${percentile(v, 0.99).toFixed(2)}`,
      )
      .join(" | "),
  );
}
await rate(100, 300);
await rate(100, 300);
await rate(1000, 3000);
await rate(1000, 3000);
await rate(1000, 3000);
client.close();
await res.disposeAsync().catch(() => {});
process.exit();
