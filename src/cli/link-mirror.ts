import { setTimeout as sleep } from "node:timers/promises";
import { readMirrorNames } from "../client/mirror-names.ts";
import { UsageError } from "./context.ts";
import type { LinkDatabase } from "./link-database.ts";
import { readGivenName } from "./link-naming.ts";
import type { CompleteMapping } from "./link-options.ts";
import { DEFAULT_TABLES } from "./mirror-database.ts";

/** A Mirror in the database of the app's table. */
export interface LinkMirror {
  /** Its name for people. */
  readonly table: string;
  /** Quoted, for statements. */
  readonly quoted: string;
}

/** How long the Mirror may take for the next User. */
const WAIT_MS_MAX = 60_000;
const POLL_MS = 100;

/**
 * Finds the Mirror that the column is to refer to; undefined: there is none, or it is not to.
 *
 * @throws {UsageError} where the one that was named is not there, or is of another Site.
 */
export async function findMirror(
  db: LinkDatabase,
  { mirror, foreignKey }: CompleteMapping,
  siteId: string,
): Promise<LinkMirror | undefined> {
  if (!foreignKey) return undefined;
  const table = mirror ?? DEFAULT_TABLES.users;
  const { users, state } = readGivenName(() => readMirrorNames(table));
  const { rows } = await db.query<{ found: boolean }>(
    "select to_regclass($1) is not null and to_regclass($2) is not null as found",
    [users, state],
  );
  if (!rows[0]?.found) {
    if (mirror === undefined) return undefined;
    throw new UsageError(`there is no mirror ${table}: signet sync mirror makes one`);
  }
  const states = await db.query<{ site_id: string }>(`select site_id from ${state}`);
  const other = states.rows.find((row) => row.site_id !== "" && row.site_id !== siteId);
  if (other) throw new UsageError(`${table} is a mirror of the Site ${other.site_id}`);
  return { table, quoted: users };
}

/**
 * Waits until the Mirror has all of these Users: before, no row can refer to them.
 *
 * @throws {Error} where it does not get them.
 */
export async function waitForMirror(
  db: LinkDatabase,
  { table, quoted }: LinkMirror,
  userIds: readonly string[],
): Promise<void> {
  let [missing, lastMs] = [Number.POSITIVE_INFINITY, performance.now()];
  for (;;) {
    const { rows } = await db.query<{ count: string }>(
      `select count(*)::text as count from unnest($1::uuid[]) as wanted (id)
        where not exists (select from ${quoted} as present where present.id = wanted.id)`,
      [userIds],
    );
    const count = Number(rows[0]?.count);
    if (count === 0) return;
    if (count < missing) [missing, lastMs] = [count, performance.now()];
    if (performance.now() - lastMs > WAIT_MS_MAX) break;
    await sleep(POLL_MS);
  }
  throw new Error(
    `the mirror ${table} does not get new Users: keep it by signet sync mirror, and run it again`,
  );
}
