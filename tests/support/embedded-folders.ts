import { chmod, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { identifyProcess } from "../../src/store/embedded-postgres/process-identity.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/store/embedded-postgres.ts";
import { runAsAdmin } from "./database.ts";
import { openTestFolder, silentLog } from "./postgres.ts";

/** Folders that other accounts may enter, and that go with the test file. */
export interface TestFolders extends AsyncDisposable {
  /** Makes an empty folder with the given mode. */
  newFolder(mode?: number): Promise<string>;
}

/** Makes the folder in which a test file makes its own. */
export async function openTestFolders(): Promise<TestFolders> {
  const root = await openTestFolder();
  let count = 0;
  return {
    async newFolder(mode = 0o755) {
      count += 1;
      const path = join(root, String(count));
      await mkdir(path);
      await chmod(path, mode);
      return path;
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  };
}

/** Starts an embedded PostgreSQL in this process. */
export function startHere(
  dataDir: string,
  options: { readonly port?: number } = {},
): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({ dataDir, log: silentLog, durable: false, ...options });
}

/** Commits a row, by which a later reader sees whether the data are still there. */
export async function writeNote(adminUrl: string, text: string): Promise<void> {
  await runAsAdmin(adminUrl, "create table if not exists notes (text text)");
  await runAsAdmin(adminUrl, `insert into notes values ('${text}')`);
}

/** Returns what {@link writeNote} has written. */
export async function readNotes(adminUrl: string): Promise<string[]> {
  const rows = await runAsAdmin<{ text: string }>(adminUrl, "select text from notes order by text");
  return rows.map(({ text }) => text);
}

/** Tells whether there is no process of that number any more. */
export async function isGone(pid: number): Promise<boolean> {
  return (await identifyProcess(pid)) === undefined;
}
