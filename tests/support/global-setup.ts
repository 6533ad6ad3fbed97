import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import type { TestProject } from "vitest/node";
import { withDirectClient } from "../../src/store/direct-client.ts";
import { startEmbeddedPostgres } from "../../src/store/embedded-postgres.ts";
import { migrate } from "../../src/store/migrate.ts";
import { ensureDatabase, prepareRoles } from "../../src/store/roles.ts";
import { openTestFolder, testPostgresVersion } from "./postgres.ts";

/** What each test file is told of the run's PostgreSQL. */
export interface TestPostgres {
  /** The superuser's, to the database `postgres`: a place for tables of apps. */
  readonly adminUrl: string;
  readonly appUrl: string;
  readonly ownerUrl: string;
}

declare module "vitest" {
  interface ProvidedContext {
    readonly postgres: TestPostgres;
  }
}

/** Starts one PostgreSQL with a migrated template database; returns what ends it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await openTestFolder();
  const log = pino({ level: "warn" });
  const version = testPostgresVersion();
  const dataDir = join(folder, "data");
  const postgres = await startEmbeddedPostgres({ dataDir, log, version, durable: false });
  const teardown = async (): Promise<void> => {
    await postgres.stop();
    await rm(folder, { recursive: true });
  };
  try {
    const adminUrl = await ensureDatabase(postgres.adminUrl, "signet_template");
    const { url, ownerUrl } = await prepareRoles(adminUrl);
    await migrate({ ownerUrl, log });
    await closeTemplate(postgres.adminUrl);
    project.provide("postgres", { adminUrl: postgres.adminUrl, appUrl: url, ownerUrl });
    return teardown;
  } catch (error) {
    await teardown();
    throw error;
  }
}

/** Nobody can be connected to a database that is copied, and autovacuum is such a somebody. */
async function closeTemplate(adminUrl: string): Promise<void> {
  await withDirectClient({ url: adminUrl, name: "signet tests" }, async (client) => {
    await client.query("alter database signet_template with allow_connections false");
  });
}
