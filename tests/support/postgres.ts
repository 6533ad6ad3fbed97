import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type { PostgresVersion } from "../../src/store/embedded-postgres/binaries.ts";
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from "../../src/store/embedded-postgres.ts";

/** A log that nobody reads. */
export const silentLog = pino({ level: "silent" });

/** The PostgreSQL that the run is on: 18, or what `TEST_PG_VERSION` says. */
export function testPostgresVersion(): PostgresVersion {
  const version = Number(process.env.TEST_PG_VERSION ?? 18);
  if (version === 15 || version === 16 || version === 17 || version === 18) return version;
  throw new Error("TEST_PG_VERSION must be 15, 16, 17 or 18");
}

/** Starts a PostgreSQL of the test's own, in a temporary folder that goes with it. */
export async function startTestPostgres(
  options: Partial<EmbeddedPostgresOptions> = {},
): Promise<EmbeddedPostgres> {
  const folder = await openTestFolder();
  const postgres = await startEmbeddedPostgres({
    dataDir: join(folder, "data"),
    log: silentLog,
    version: testPostgresVersion(),
    durable: false,
    ...options,
  });
  const stop = async (): Promise<void> => {
    await postgres.stop();
    await rm(folder, { recursive: true });
  };
  return { ...postgres, stop, [Symbol.asyncDispose]: stop };
}

/** Makes a temporary folder that others may enter: as root, PostgreSQL runs as another account. */
export async function openTestFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "signet-test-"));
  await chmod(folder, 0o755);
  return folder;
}
