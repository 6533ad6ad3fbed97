import { spawnSync } from "node:child_process";
import type { PostgresVersion } from "../../src/store/embedded-postgres/binaries.ts";

const VERSIONS: readonly PostgresVersion[] = [18, 17, 16, 15];

/**
 * Returns the newest PostgreSQL that this machine's `pg_dump` can dump; undefined where there is
 * none. On Debian: `apt-get install postgresql-client`.
 */
export function dumpablePostgres(): PostgresVersion | undefined {
  const { stdout } = spawnSync("pg_dump", ["--version"], { encoding: "utf8" });
  const major = Number(/(\d+)\.\d+/.exec(stdout ?? "")?.[1] ?? 0);
  return VERSIONS.find((version) => version <= major);
}
