import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A disk for PostgreSQL that can become full. */
export interface FaultDisk extends AsyncDisposable {
  /** Where PostgreSQL keeps its data. */
  readonly dataDir: string;
  /** Leaves no room on it. */
  fill(): Promise<void>;
  free(): Promise<void>;
}

const BALLAST_BYTES = 4 * 1024 * 1024;
const PAGE_BYTES = 4_096;

/** Tells whether this machine lets a file system be mounted: Linux does, for root. */
export function canMount(): boolean {
  const folder = mount(1);
  if (folder === undefined) return false;
  unmount(folder);
  return true;
}

/** Makes the disk, a small file system in memory; undefined where {@link canMount} is not so. */
export function openFaultDisk(megabytes: number): FaultDisk | undefined {
  const folder = mount(megabytes);
  if (folder === undefined) return undefined;
  const ballast = join(folder, "ballast");
  const unmountAtExit = () => unmount(folder); // Of a run that crashes, while it is still in use.
  process.once("exit", unmountAtExit);
  return {
    dataDir: join(folder, "data"),
    async fill() {
      await using file = await open(ballast, "a", 0o600);
      for (let size = BALLAST_BYTES; size >= PAGE_BYTES; ) {
        const full = await file.write(Buffer.alloc(size)).then(() => false, isFull);
        if (full) size = Math.floor(size / 2);
      }
    },
    free: () => rm(ballast, { force: true }),
    async [Symbol.asyncDispose]() {
      process.off("exit", unmountAtExit);
      unmount(folder);
    },
  };
}

function mount(megabytes: number): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "signet-disk-"));
  const options = `size=${megabytes}m,mode=0755`;
  const { status } = spawnSync("/bin/mount", [
    "-t",
    "tmpfs",
    "-o",
    options,
    "signet-faults",
    folder,
  ]);
  if (status === 0) return folder;
  rmdirSync(folder);
  return undefined;
}

function unmount(folder: string): void {
  spawnSync("/bin/umount", ["--lazy", folder]);
  rmdirSync(folder);
}

function isFull(error: unknown): true {
  if ((error as NodeJS.ErrnoException).code === "ENOSPC") return true;
  throw error;
}
