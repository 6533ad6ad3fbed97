import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";

/** What processes have used. */
export interface ProcessUsage {
  /** Of a processor, since they began. */
  readonly cpuMs: number;
  /** What they hold of the memory now. */
  readonly residentBytes: number;
  readonly processes: number;
}

/** Linux counts so, whatever the machine. */
const TICK_MS = 10;
const PAGE_BYTES = 4_096;
/** Of proc(5), without the first two fields, which are cut off with the name. */
const PARENT = 1;
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;
const RESIDENT_PAGES = 21;

/** Says whether this system tells what processes use. */
export function tellsUsage(): boolean {
  return existsSync("/proc/self/stat");
}

/** Returns what a service and the processes that serve for it have used, but not its PostgreSQL. */
export async function usageOfService(pid: number): Promise<ProcessUsage> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const all = await Promise.all(pids.map(async (id) => ({ id, stat: await readStat(id) })));
  const own = all.filter(
    ({ id, stat }) => id === String(pid) || (stat[PARENT] === String(pid) && stat.isNode),
  );
  const sum = (...fields: readonly number[]) =>
    own.reduce((total, { stat }) => total + fields.reduce((t, f) => t + Number(stat[f]), 0), 0);
  return {
    cpuMs: sum(USER_TICKS, SYSTEM_TICKS) * TICK_MS,
    residentBytes: sum(RESIDENT_PAGES) * PAGE_BYTES,
    processes: own.length,
  };
}

type Stat = readonly string[] & { readonly isNode?: boolean };

async function readStat(pid: string): Promise<Stat> {
  // A process may end between the two.
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return Object.assign(fields, { isNode: command.includes("main.ts") });
}
