import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { PostgresVersion } from "../../src/store/embedded-postgres/binaries.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/store/embedded-postgres.ts";
import { ensureDatabase, withDatabase } from "../../src/store/roles.ts";
import { openTestFolder, silentLog } from "./postgres.ts";
import { createServiceKeys, freePort, startService, type TestService } from "./service.ts";

/** A Signet over a PostgreSQL of its own, both of which can be put back to an earlier state. */
export interface RestorableSignet extends AsyncDisposable {
  /** A folder for backups. */
  readonly folder: string;
  readonly url: string;
  /** The one in force. */
  operatorKey(): string;
  /** What a service and the command line are told; its superuser's URL is among it. */
  environment(database?: string): Readonly<Record<string, string>>;
  /** Starts the service, always in the same place. */
  serve(): Promise<TestService>;
  stopServing(): Promise<void>;
  /** Has another operator key, a second master key and other passwords from the next start on. */
  changeSecrets(): void;
  /** Copies the files of the stopped PostgreSQL. */
  copyFiles(): Promise<void>;
  /** Puts the copy in place of them. */
  putFilesBack(): Promise<void>;
}

const ROLES = { app: "signet_app", migrator: "signet_migrator" } as const;

/** Starts PostgreSQL with an empty database `signet`. */
export async function openRestorableSignet(version: PostgresVersion): Promise<RestorableSignet> {
  const folder = await openTestFolder();
  const [dataDir, copy] = [join(folder, "data"), join(folder, "copy")];
  let secrets = { ...createServiceKeys(), app: newPassword(), migrator: newPassword() };
  const port = await freePort();
  const start = () => startEmbeddedPostgres({ dataDir, version, log: silentLog, durable: false });
  let postgres: EmbeddedPostgres = await start();
  let service: TestService | undefined;
  await ensureDatabase(postgres.adminUrl, "signet");

  const urlOf = (database: string, role: keyof typeof ROLES): string => {
    const url = new URL(withDatabase(postgres.adminUrl, database));
    url.username = ROLES[role];
    url.password = secrets[role];
    return url.href;
  };
  const environment = (database = "signet") => ({
    DATABASE_ADMIN_URL: withDatabase(postgres.adminUrl, database),
    DATABASE_URL: urlOf(database, "app"),
    DATABASE_OWNER_URL: urlOf(database, "migrator"),
    SIGNET_OPERATOR_KEY: secrets.operatorKey,
    SIGNET_MASTER_KEYS: secrets.masterKeys,
    SIGNET_URL: `http://127.0.0.1:${port}`,
    SIGNET_KEY: secrets.operatorKey,
  });
  const stopServing = async (): Promise<void> => {
    await service?.stop();
    service = undefined;
  };
  const whileStopped = async (work: () => Promise<void>): Promise<void> => {
    await stopServing();
    await postgres.stop();
    await work();
    postgres = await start();
  };
  return {
    folder,
    environment,
    stopServing,
    url: `http://127.0.0.1:${port}`,
    operatorKey: () => secrets.operatorKey,
    async serve() {
      service = await startService({ databaseUrl: urlOf("signet", "app"), keys: secrets, port });
      return service;
    },
    changeSecrets() {
      const { operatorKey, masterKeys } = createServiceKeys();
      const second = masterKeys.replace("1:", "2:");
      secrets = {
        operatorKey,
        masterKeys: `${secrets.masterKeys},${second}`,
        app: newPassword(),
        migrator: newPassword(),
      };
    },
    copyFiles: () =>
      whileStopped(async () => {
        // With their owner, who may not be the one of this process.
        execFileSync("cp", ["--archive", dataDir, copy]);
      }),
    putFilesBack: () =>
      whileStopped(async () => {
        await rm(dataDir, { recursive: true });
        await rename(copy, dataDir);
      }),
    async [Symbol.asyncDispose]() {
      await stopServing();
      await postgres.stop();
      await rm(folder, { recursive: true });
    },
  };
}

function newPassword(): string {
  return randomBytes(32).toString("hex");
}
