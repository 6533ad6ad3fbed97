import type { Pool } from "pg";
import type { SignetClient } from "../client/index.ts";
import type { MirrorNames } from "../client/mirror-names.ts";
import { readMirrorNames } from "../client/mirror-names.ts";
import { toRevocationNames } from "../client/revocation-tables.ts";
import { UsageError } from "./context.ts";
import { checkColumns, checkSecrets } from "./doctor-columns.ts";
import { checkContent } from "./doctor-content.ts";
import { checkGrants, checkGuard } from "./doctor-guard.ts";
import { checkRevocations } from "./doctor-revocations.ts";
import { checkState } from "./doctor-state.ts";
import { type Finding, fail, ok } from "./finding.ts";
import { DEFAULT_TABLES, type MirrorPlaceOptions } from "./mirror-database.ts";

/** Which Mirror to check, and against what. */
export interface MirrorCheckOptions extends MirrorPlaceOptions {
  readonly site?: string;
  /** Columns that look like secrets and are none. */
  readonly allowColumn?: readonly string[];
  /** Whether to read the content of each row. */
  readonly deep?: true;
  /** Absent: the Mirror cannot be compared with Signet. */
  readonly client: SignetClient | undefined;
}

const VERSION_MIN = 140_000;

/** Checks a Mirror in an app's PostgreSQL. It writes nothing. */
export async function checkMirror(pool: Pool, options: MirrorCheckOptions): Promise<Finding[]> {
  const names = readNames(options.table ?? DEFAULT_TABLES.users);
  const revocationNames = readNames(options.revocationsTable ?? DEFAULT_TABLES.revocations);
  const findings = [await checkServer(pool)];
  findings.push(...(await checkUsers(pool, names, options)));
  findings.push(await checkRevocations(pool, toRevocationNames(revocationNames)));
  return findings;
}

async function checkUsers(
  pool: Pool,
  names: MirrorNames,
  { client, site, table = DEFAULT_TABLES.users, allowColumn = [], deep }: MirrorCheckOptions,
): Promise<Finding[]> {
  const missing = await missingObjects(pool, names);
  if (missing.includes(names.users)) {
    const advice = "run `signet sync mirror` with the same --to and --table";
    return [fail("mirror.table", `there is no table ${names.users}`, advice)];
  }
  const columns = await checkColumns(pool, names);
  const owned = [columns, ...(await checkSecrets(pool, names, allowColumn))];
  owned.push(await checkGrants(pool, names));
  if (missing.length > 0) {
    const advice = "run `signet sync mirror`, which creates it";
    const text = `${missing.join(", ")} is missing: it is no mirror, or has lost its state`;
    return [fail("mirror.table", text, advice), ...owned];
  }
  const found = [ok("mirror.table", `${names.users} is a mirror`), ...owned];
  found.push(...(await checkGuard(pool, names)));
  if (columns.verdict !== "ok") return found;
  found.push(...(await checkState(pool, names, client, site)));
  return deep ? [...found, await checkContent(pool, table)] : found;
}

async function checkServer(pool: Pool): Promise<Finding> {
  const { rows } = await pool.query<{ version: number; name: string; role: string }>(
    `select current_setting('server_version_num')::integer as version,
            current_setting('server_version') as name, current_user::text as role`,
  );
  const { version = 0, name = "", role = "" } = rows[0] ?? {};
  const text = `PostgreSQL ${name}, as ${role}`;
  if (version >= VERSION_MIN) return ok("mirror.database", text);
  return fail("mirror.database", text, "a mirror needs PostgreSQL 14 or later");
}

async function missingObjects(pool: Pool, names: MirrorNames): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    "select name from unnest($1::text[]) as wanted (name) where to_regclass(name) is null",
    [[names.users, names.state, names.tombstones, names.refusals]],
  );
  return rows.map(({ name }) => name);
}

function readNames(table: string): MirrorNames {
  try {
    return readMirrorNames(table);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
