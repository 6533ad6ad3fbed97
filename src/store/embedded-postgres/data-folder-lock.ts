import { randomUUID } from "node:crypto";
import { link, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { identifyProcess } from "./process-identity.ts";

/** The data folder belongs to another Signet that is running. */
export class DataFolderBusyError extends Error {
  constructor(dataDir: string, pid: number) {
    super(
      `${dataDir} is in use by a Signet that is running (process ${pid}): ` +
        "stop it first, or give this one another SIGNET_DATA_DIR",
    );
    this.name = "DataFolderBusyError";
  }
}

/** The right of one process to a data folder. */
export interface DataFolderLock {
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  readonly startedAt: string;
}

const LOCK_NAME = /^lock\.(\d+)$/;

/**
 * Takes the data folder for this process, also from one that died without giving it back.
 *
 * Lock files are numbered and the highest number holds. A file is linked into place, which only
 * one of several processes can do for a number, and the highest is never removed; so a process
 * that was slow to judge an old holder dead cannot push out the one that has followed it.
 *
 * @throws {DataFolderBusyError} if a live process holds it.
 */
export async function lockDataFolder(dataDir: string): Promise<DataFolderLock> {
  for (;;) {
    const highest = Math.max(0, ...(await lockNumbers(dataDir)));
    const holder = await readHolder(join(dataDir, `lock.${highest}`));
    if (holder && (await isAlive(holder))) throw new DataFolderBusyError(dataDir, holder.pid);

    const mine = highest + 1;
    if (!(await writeLock(dataDir, mine))) continue;
    const numbers = await lockNumbers(dataDir);
    if (Math.max(...numbers) > mine) {
      await rm(join(dataDir, `lock.${mine}`), { force: true });
      continue;
    }
    const outdated = numbers.filter((number) => number < mine);
    await Promise.all(outdated.map((number) => rm(join(dataDir, `lock.${number}`))));
    return { release: () => writeFile(join(dataDir, `lock.${mine}`), "") };
  }
}

async function lockNumbers(dataDir: string): Promise<number[]> {
  const names = await readdir(dataDir);
  return names.flatMap((name) => LOCK_NAME.exec(name)?.[1] ?? []).map(Number);
}

/** Returns undefined for a lock that was given back or lost its content, or is not there. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Holder;
  } catch {
    return undefined;
  }
}

async function isAlive({ pid, startedAt }: Holder): Promise<boolean> {
  return (await identifyProcess(pid))?.startedAt === startedAt;
}

/** Returns false if another process was quicker. The content is there before the name is. */
async function writeLock(dataDir: string, number: number): Promise<boolean> {
  const identity = await identifyProcess(process.pid);
  const holder: Holder = { pid: process.pid, startedAt: identity?.startedAt ?? "" };
  const draft = join(dataDir, `lock-${randomUUID()}`);
  await writeFile(draft, JSON.stringify(holder), { mode: 0o600 });
  try {
    await link(draft, join(dataDir, `lock.${number}`));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}
