import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { withDirectClient } from "../../src/store/direct-client.ts";
import { APP_ROLE } from "../../src/store/roles.ts";
import { runAsAdmin } from "./database.ts";
import type { FaultName, FaultScene, PlannedFault, Strike } from "./fault-scene.ts";
import { until } from "./waiting.ts";

/** What is done to PostgreSQL. */
export const databaseStrikes = {
  "PostgreSQL killed": ({ signet }, _, signal) => signet.killPostgres(signal),
  "PostgreSQL restarted": restart,
  "PostgreSQL frozen": freeze,
  "backends terminated": terminateAll,
  "connections refused": refuseConnections,
  "pool exhausted": exhaustPool,
  "disk full": fillDisk,
} as const satisfies Partial<Record<FaultName, Strike>>;

const TERMINATIONS = 3;
const PATIENCE_MS = 60_000;

/** SIGINT asks for a fast shutdown: transactions are rolled back, and the log is written. */
async function restart(
  { signet }: FaultScene,
  _: PlannedFault,
  signal: AbortSignal,
): Promise<void> {
  const stopped = signet.postgresPid();
  process.kill(stopped, "SIGINT");
  await until(() => signet.postgresPid() !== stopped, PATIENCE_MS, signal);
}

/** Takes no more connections, answers nothing, and closes nothing: as a host that hangs. */
async function freeze({ signet }: FaultScene, { holdMs }: PlannedFault): Promise<void> {
  const postmaster = signet.postgresPid();
  process.kill(postmaster, "SIGSTOP");
  const children = await childrenOf(postmaster);
  for (const pid of children) send(pid, "SIGSTOP");
  await sleep(holdMs);
  for (const pid of children) send(pid, "SIGCONT");
  process.kill(postmaster, "SIGCONT");
}

/** Lists the processes that a process has started. */
async function childrenOf(pid: number): Promise<readonly number[]> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return list.split(" ").filter(Boolean).map(Number);
}

function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

async function terminateAll(
  { signet }: FaultScene,
  { holdMs }: PlannedFault,
  signal: AbortSignal,
): Promise<void> {
  for (let n = 0; n < TERMINATIONS; n += 1) {
    const ended = await terminate(signet.adminUrl);
    if (ended === 0) {
      await signet.untilReady(signal); // Fails where all processes have ended.
      throw new Error("there was no backend");
    }
    await sleep(holdMs / TERMINATIONS);
  }
}

/** As many connections as another program leaves: none, and those that there were are gone. */
async function refuseConnections({ signet }: FaultScene, { holdMs }: PlannedFault): Promise<void> {
  await runAsAdmin(signet.adminUrl, `alter role ${APP_ROLE} connection limit 0`);
  try {
    await terminate(signet.adminUrl);
    await sleep(holdMs);
  } finally {
    await runAsAdmin(signet.adminUrl, `alter role ${APP_ROLE} connection limit -1`);
  }
}

async function terminate(adminUrl: string): Promise<number> {
  const ended = await runAsAdmin(
    adminUrl,
    `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${APP_ROLE}'`,
  );
  return ended.length;
}

/** A lock on the busiest table keeps every connection of the pool waiting, until it gives up. */
async function exhaustPool(
  { signet }: FaultScene,
  { holdMs }: PlannedFault,
  signal: AbortSignal,
): Promise<void> {
  const { adminUrl } = signet;
  await withDirectClient({ url: adminUrl, name: "fault" }, async (client) => {
    await client.query("begin");
    await client.query("lock table signet.users in access exclusive mode");
    await until(async () => (await countWaiting(adminUrl)) > 0, PATIENCE_MS, signal);
    await sleep(holdMs);
    await client.query("rollback");
  });
}

async function countWaiting(adminUrl: string): Promise<number> {
  const waiting = await runAsAdmin(
    adminUrl,
    `select from pg_stat_activity where usename = '${APP_ROLE}' and wait_event_type = 'Lock'`,
  );
  return waiting.length;
}

async function fillDisk(
  { signet, disk }: FaultScene,
  { holdMs }: PlannedFault,
  signal: AbortSignal,
): Promise<void> {
  if (!disk) throw new Error("the disk cannot be filled");
  await disk.fill();
  try {
    await until(() => cannotGrow(signet.adminUrl), PATIENCE_MS, signal);
    await sleep(holdMs);
  } finally {
    await disk.free();
  }
  await until(async () => !(await cannotGrow(signet.adminUrl)), PATIENCE_MS, signal);
}

/** Whether a table of some pages is refused, for whatever reason. */
async function cannotGrow(adminUrl: string): Promise<boolean> {
  const grow = `begin; create table ballast as select repeat(n::text, 100) as line
                  from generate_series(1, 10000) as n; rollback`;
  return await runAsAdmin(adminUrl, grow).then(
    () => false,
    () => true,
  );
}
