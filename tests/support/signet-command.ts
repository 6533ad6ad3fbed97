import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openTestFolder } from "./postgres.ts";

/** Puts a program `signet` into a folder of its own, as an installation would: a PATH with it. */
export async function pathWithSignet(): Promise<string> {
  const folder = await openTestFolder();
  const file = join(folder, "signet");
  await writeFile(file, `#!/bin/sh\nexec "${process.execPath}" src/cli/main.ts "$@"\n`);
  await chmod(file, 0o755);
  return `${folder}:${process.env.PATH}`;
}
