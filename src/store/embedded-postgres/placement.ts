import { createHash, randomBytes } from "node:crypto";
import { lstat, mkdir, readFile, realpath, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Account, canEnter, chooseAccount } from "./account.ts";

/** Where an embedded PostgreSQL lives. */
export interface Placement {
  /** Signet's data folder, with its symbolic links resolved: locks and passwords. */
  readonly dataDir: string;
  /** The folder of cluster, log and, where needed, binaries; mostly the data folder itself. */
  readonly home: string;
  /** PostgreSQL's own folder. */
  readonly cluster: string;
  /** What PostgreSQL writes to its standard error. */
  readonly logFile: string;
  /** The account in place of root; undefined to run as this process does. */
  readonly account: Account | undefined;
}

/** Present in a data folder whose cluster lies outside of it. */
const PLACEMENT_ID = "placement-id";

/**
 * Finds, and creates, the folders of an embedded PostgreSQL.
 *
 * As root below a folder that others cannot enter, such as root's home, they lie outside of it,
 * at a place that stays the same as long as the data folder does.
 */
export async function placeCluster(dataDirWanted: string): Promise<Placement> {
  const account = await chooseAccount();
  // Others may pass through a folder of root's, never read it: the cluster lies below.
  await mkdir(dataDirWanted, { recursive: true, mode: account ? 0o711 : 0o700 });
  const dataDir = await realpath(dataDirWanted);
  const home =
    account && (await liesOutside(dataDir, account)) ? await createOutside(dataDir) : dataDir;
  const cluster = join(home, "postgres");
  return {
    dataDir,
    home,
    cluster,
    logFile: join(home, "postgres.log"),
    account: account && ((await ownerOf(cluster)) ?? account),
  };
}

/** A cluster stays where it is, also when the rights to the folders around it have changed. */
async function liesOutside(dataDir: string, account: Account): Promise<boolean> {
  if (await exists(join(dataDir, PLACEMENT_ID))) return true;
  if (await canEnter(account, dataDir)) return false;
  if (!(await exists(join(dataDir, "postgres")))) return true;
  throw new Error(
    `the database in ${dataDir} cannot be reached by the account that it belongs to: ` +
      "allow others to enter (chmod o+x) the folder and those above it",
  );
}

/** A cluster stays with the account that made it, whatever accounts the machine has by now. */
async function ownerOf(cluster: string): Promise<Account | undefined> {
  const found = await stat(cluster).catch(() => undefined);
  return found && found.uid !== 0 ? { uid: found.uid, gid: found.gid } : undefined;
}

async function createOutside(dataDir: string): Promise<string> {
  const name = createHash("sha256")
    .update(`${dataDir}\0${await placementId(dataDir)}`)
    .digest("hex")
    .slice(0, 16);
  try {
    await mkdir("/var/lib/signet", { recursive: true, mode: 0o711 });
    return await createOwn(join("/var/lib/signet", name));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EROFS" && code !== "EACCES" && code !== "EPERM") throw error;
    return await createOwn(join(await realpath(tmpdir()), `signet-${name}`));
  }
}

/** A data folder that is deleted and made anew must not find the database of its predecessor. */
async function placementId(dataDir: string): Promise<string> {
  const path = join(dataDir, PLACEMENT_ID);
  try {
    await writeFile(path, randomBytes(16).toString("hex"), { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return await readFile(path, "utf8");
}

/** In a folder that all may write to, another account could have been there first. */
async function createOwn(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o711 });
  const { uid } = await lstat(folder);
  if (uid !== 0 || !(await lstat(folder)).isDirectory()) {
    throw new Error(`${folder} is not a folder of root's: remove it, or set SIGNET_DATA_DIR`);
  }
  return folder;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
