import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Edit } from "./weakening.ts";

const ROOT = join(import.meta.dirname, "../..");
/** Built or installed, not written: linked instead of copied. */
const LINKED = ["node_modules", "dist"];

/** A copy of the project that may be weakened, in a folder that goes with it. */
export interface WeakenedCopy extends AsyncDisposable {
  readonly folder: string;
}

/** Copies the project, as it stands with what is not committed yet, and edits the copy. */
export async function makeWeakenedCopy(edits: readonly Edit[]): Promise<WeakenedCopy> {
  const folder = await mkdtemp(join(tmpdir(), "signet-weakened-"));
  await using made = new AsyncDisposableStack();
  made.defer(() => rm(folder, { recursive: true, force: true }));
  const listed = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const { stdout } = await promisify(execFile)("git", listed, { cwd: ROOT, maxBuffer: 2 ** 26 });
  for (const file of stdout.split("\0").filter(Boolean)) {
    if (!existsSync(join(ROOT, file))) continue; // Deleted, which is not committed yet.
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await copyFile(join(ROOT, file), join(folder, file));
  }
  for (const name of LINKED) await symlink(join(ROOT, name), join(folder, name));
  for (const edit of edits) await apply(folder, edit);
  const kept = made.move();
  return { folder, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

async function apply(folder: string, edit: Edit): Promise<void> {
  const path = join(folder, edit.file);
  await writeFile(path, editText(await readFile(path, "utf8"), edit));
}

/**
 * Returns the text of a file as it is after the edit.
 *
 * @throws {Error} if what is to be replaced does not stand in it exactly once.
 */
export function editText(whole: string, { file, text, replacement }: Edit): string {
  const [before, after, ...more] = whole.split(text);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`${file}: does not have exactly once what is to be weakened: ${text}`);
  }
  return before + replacement + after;
}
