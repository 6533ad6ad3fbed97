import { Client } from "pg";
import { createDataFolder } from "../../src/demo/data-folder.ts";
import { saveNewUser, write } from "../../src/domain/write.ts";
import { newId, type UserId } from "../../src/model/id.ts";
import { newUser } from "../../src/model/user.ts";
import { withDatabase } from "../../src/store/roles.ts";
import { firstVersion } from "../../src/store/users.ts";
import { startOwnService } from "../own-service.ts";
import { percentile } from "../statistics.ts";

const folder = await createDataFolder();
const res = new AsyncDisposableStack();
res.defer(() => folder.remove());
const now = () => performance.now();
const own = await startOwnService(res, { dataDir: folder.path });
await own.service.stopReader();
const c = new Client({ connectionString: withDatabase(own.adminUrl, "signet") });
await c.connect();
const w = new Client({ connectionString: withDatabase(own.adminUrl, "signet") });
await w.connect();
async function time(
  name: string,
  run: () => Promise<unknown>,
  n = 200,
  before: () => Promise<unknown> = async () => {},
) {
  const v: number[] = [];
  for (let i = 0; i < n; i++) {
    await before();
    const t = now();
    await run();
    v.push(now() - t);
  }
  console.log(
    name.slice(0, 90),
    "p50",
    percentile(v, 0.5).toFixed(3),
    "p10",
    percentile(v, 0.1).toFixed(3),
    "p99",
    percentile(v, 0.99).toFixed(3),
  );
}
const q = (s: string) => () => c.query(s);
const one = async () => {
  const createTime = new Date();
  const id = newId<UserId>(createTime);
  await write({ ...own.service.deps, wakeReaders() {} }, own.siteId, async (tx) => {
    const version = await firstVersion(tx, own.siteId);
    await saveNewUser(
      own.service.deps,
      tx,
      newUser({ id, siteId: own.siteId, version, createTime, displayName: "Ada" }),
    );
  });
};
await time("select 1", q("select 1"));
await time("follow idle", q("select * from signet.follow_changes(9007199254740991, 1)"));
await c.query("create table public.f (a int)");
await time("insert", q("insert into public.f values (1)"));
await c.query("set synchronous_commit = off");
await time("insert async", q("insert into public.f values (1)"));
await time("sequence one, async", q("select signet.sequence_changes()"), 200, one);
await c.query("set synchronous_commit = on");
await time("sequence one, sync", q("select signet.sequence_changes()"), 200, one);
await time(
  "follow one, none read",
  q("select * from signet.follow_changes(9007199254740991, 1)"),
  200,
  one,
);

import { setTimeout as sleep } from "node:timers/promises";
import { followChanges } from "../../src/store/changes.ts";

const db = own.service.deps.db as any;
const across = { query: (st: any) => db.validation.acrossSites(st) };
let pos = (await followChanges(across, 9007199254740991, 1)).head;
const step = async () => {
  const f = await followChanges(across, pos, 1000);
  pos = f.head;
};
await time("db follow one", step, 200, one);
await time("db follow one, 5 ms apart", step, 100, async () => {
  await sleep(5);
  await one();
});
await time("db follow idle", step, 100);
await time("db follow idle, 5 ms apart", step, 100, () => sleep(5));

const {
  rows: [{ def }],
} = await c.query("select pg_get_functiondef('signet.sequence_changes'::regproc) as def");
const variants: Record<string, string> = {
  now: def,
  "no epoch": def.replace("perform signet.check_epoch(); xx", ""),
  "no big": def.replace(
    /with taken as materialized[\s\S]*?from taken t;/,
    "counted := 0; any_deleted := false; seen := pg_current_snapshot();",
  ),
  "no removed": def.replace(/, removed as \([\s\S]*?rows_max\n {2}\)/, ""),
  "no erasure": def.replace(/if any_deleted then[\s\S]*?end if;/, ""),
};
for (const [name, text] of Object.entries(variants)) {
  if (name !== "now" && text === def) console.log("UNCHANGED", name);
  await c.query(text);
  await c.query("set synchronous_commit=off");
  await time("idle: " + name, q("select * from signet.follow_changes(9007199254740991, 1)"), 600);
  if (name !== "no big")
    await time(
      "one: " + name,
      q("select * from signet.follow_changes(9007199254740991, 1)"),
      200,
      one,
    );
}
await c.query(def);
await time("seq idle", q("select signet.sequence_changes()"), 600);
await c.end();
await w.end();
await res.disposeAsync().catch(() => {});
process.exit();
