import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A data folder for one run of a Signet. */
export interface DataFolder {
  readonly path: string;
  /** Removes it with all that is in it; the Signet must have ended. */
  remove(): Promise<void>;
}

/**
 * Makes a temporary data folder.
 *
 * As root, PostgreSQL runs under another account, which must be able to pass through: or else it
 * keeps its files at a place of its own, where they would be left.
 */
export async function createDataFolder(): Promise<DataFolder> {
  const mode = process.getuid?.() === 0 ? 0o711 : 0o700;
  const folder = await mkdtemp(join(tmpdir(), "signet-demo-"));
  const path = join(folder, "data");
  await chmod(folder, mode);
  await mkdir(path, { mode });
  return {
    path,
    remove: () => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
  };
}
