import { readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** An account of the machine, under which PostgreSQL runs in place of root. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Accounts without rights of their own, the best first; they exist on most machines. */
const CANDIDATES = ["postgres", "_postgres", "nobody", "daemon"];

/**
 * Chooses the account for PostgreSQL, which refuses to run as root; undefined if this process
 * is an ordinary user's, whose account will do.
 *
 * @throws {Error} if the machine has none of the accounts that would do.
 */
export async function chooseAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = new Map(
    (await readFile("/etc/passwd", "utf8"))
      .split("\n")
      .map((line) => line.split(":"))
      .map(([name = "", , uid, gid]) => [name, { uid: Number(uid), gid: Number(gid) }]),
  );
  const account = CANDIDATES.map((name) => accounts.get(name)).find((found) => found?.uid);
  if (account) return account;
  throw new Error(
    "PostgreSQL refuses to run as root, and this machine has no account named " +
      `${CANDIDATES.join(", ")}: start Signet as an ordinary user, or set DATABASE_URL`,
  );
}

/** Tells whether the account may enter the folder and all those above it. */
export async function canEnter(account: Account, folder: string): Promise<boolean> {
  const { mode, uid, gid } = await stat(folder);
  const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0;
  if (((mode >> shift) & 1) === 0) return false;
  const parent = dirname(folder);
  return parent === folder || (await canEnter(account, parent));
}
