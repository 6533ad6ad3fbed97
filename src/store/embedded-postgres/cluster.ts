import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Binaries, type PostgresVersion, SURROUNDINGS } from "./binaries.ts";
import type { Placement } from "./placement.ts";

/** The superuser of an embedded PostgreSQL. */
export const ADMIN_NAME = "postgres";

/** How a cluster is made. */
export interface ClusterOptions {
  readonly version: PostgresVersion;
  /** False for a database that is thrown away: nothing is forced to disk. */
  readonly durable: boolean;
}

/**
 * Makes the cluster unless it is there, and returns the superuser's password.
 *
 * It is made under another name, and so is whole or absent, whenever the power fails.
 *
 * @throws {Error} if the cluster belongs to another major version of PostgreSQL.
 */
export async function ensureCluster(
  binaries: Binaries,
  placement: Placement,
  options: ClusterOptions,
): Promise<string> {
  const password = await ensurePassword(placement);
  const found = await readFile(join(placement.cluster, "PG_VERSION"), "utf8").catch(() => "");
  if (found === "") {
    await makeCluster(binaries, placement, options, password);
  } else if (Number(found) !== options.version) {
    throw new Error(
      `${placement.cluster} was made by PostgreSQL ${found.trim()}, and this is ` +
        `${options.version}: dump it with the former and restore it with this one`,
    );
  }
  return password;
}

async function ensurePassword({ dataDir }: Placement): Promise<string> {
  const path = join(dataDir, "postgres-password");
  const found = await readFile(path, "utf8").catch(() => "");
  if (found !== "") return found;
  const password = randomBytes(32).toString("base64url");
  await writeFile(`${path}.new`, password, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
  return password;
}

async function makeCluster(
  binaries: Binaries,
  placement: Placement,
  options: ClusterOptions,
  password: string,
): Promise<void> {
  const { home, cluster, account } = placement;
  await removeDrafts(home);
  const draft = join(home, `postgres.new-${process.pid}`);
  await mkdir(draft, { mode: 0o700 });
  // The account of the cluster cannot read Signet's own files.
  const passwordFile = join(home, `postgres.new-password-${process.pid}`);
  await writeFile(passwordFile, password, { mode: 0o600, flag: "wx" });
  try {
    for (const path of account ? [draft, passwordFile] : []) {
      await chown(path, account?.uid ?? 0, account?.gid ?? 0);
    }
    await runInitdb(binaries, placement, initdbArguments(draft, passwordFile, options));
    await rename(draft, cluster);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(draft, { recursive: true, force: true });
  }
}

/** A process that was killed half way leaves its draft behind. */
async function removeDrafts(home: string): Promise<void> {
  const drafts = (await readdir(home)).filter((name) => name.startsWith("postgres.new-"));
  await Promise.all(drafts.map((name) => rm(join(home, name), { recursive: true })));
}

/** The builtin locale (from 17 on) sorts by code point everywhere, and knows upper from lower. */
function initdbArguments(
  draft: string,
  passwordFile: string,
  { version, durable }: ClusterOptions,
): string[] {
  const locale = version >= 17 ? ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] : [];
  return [
    `--pgdata=${draft}`,
    `--username=${ADMIN_NAME}`,
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    ...locale,
    ...(durable ? [] : ["--no-sync"]),
  ];
}

async function runInitdb(
  { initdb }: Binaries,
  { account }: Placement,
  args: readonly string[],
): Promise<void> {
  try {
    await promisify(execFile)(initdb, args, { ...account, ...SURROUNDINGS });
  } catch (error) {
    const { stderr } = error as { readonly stderr?: string };
    throw new Error(`PostgreSQL could not make its folder: ${stderr?.trim()}`, { cause: error });
  }
}
