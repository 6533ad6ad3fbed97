import { createGrpcTransport } from "@connectrpc/connect-node";
import type { SiteId } from "../../src/model/id.ts";
import { createDatabase, type Database } from "../../src/store/database.ts";
import { migrate } from "../../src/store/migrate.ts";
import { ensureDatabase, prepareRoles } from "../../src/store/roles.ts";
import { openSite } from "./builders.ts";
import { silentLog, startTestPostgres } from "./postgres.ts";
import {
  createServiceKeys,
  type ServiceOptions,
  startService,
  type TestService,
} from "./service.ts";
import { until } from "./waiting.ts";

/** Processes of the service over a PostgreSQL of their own, all of which can be killed. */
export interface KillableSignet extends AsyncDisposable {
  /** The superuser's, to the database of the service. */
  readonly adminUrl: string;
  /** The superuser's, to an empty database of an app in the same PostgreSQL. */
  readonly appDatabaseUrl: string;
  /** Connected as the application role, beside the service. */
  readonly db: Database;
  readonly siteId: SiteId;
  /** May do everything at its Site. */
  readonly key: string;
  /** Where the processes are; they come back in the same place. */
  readonly urls: readonly string[];
  /** Kills a process by SIGKILL, and waits until it is ready again. */
  killService(n: number): Promise<void>;
  /** Kills PostgreSQL by SIGKILL, and waits until every process is ready again. */
  killPostgres(): Promise<void>;
  /** Errors that nobody expected, from the logs of all processes that there were. */
  unexpectedErrors(): readonly string[];
}

const RECOVERY_MS_MAX = 60_000;

/** Starts everything, with a database that keeps what it has confirmed, and opens a Site. */
export async function openKillableSignet(processes: number): Promise<KillableSignet> {
  const postgres = await startTestPostgres({ durable: true });
  const services: TestService[] = [];
  const logs: string[] = [];
  const adminUrl = await ensureDatabase(postgres.adminUrl, "signet");
  const appDatabaseUrl = await ensureDatabase(postgres.adminUrl, "app");
  const roles = await prepareRoles(adminUrl);
  await migrate({ ownerUrl: roles.ownerUrl, log: silentLog });
  const db = createDatabase({ url: roles.url, log: silentLog });
  const options: ServiceOptions = {
    databaseUrl: roles.url,
    keys: createServiceKeys(),
    env: { LOG_LEVEL: "error" }, // A line for each call is more than a test should keep.
  };
  const dispose = async (): Promise<void> => {
    await Promise.all(services.map((service) => service[Symbol.asyncDispose]()));
    await db.close();
    await postgres.stop();
  };
  try {
    for (let n = 0; n < processes; n += 1) services.push(await startService(options));
    const [first] = services;
    if (!first) throw new Error("there is no process");
    const transport = createGrpcTransport({ baseUrl: first.url });
    const { siteId, key } = await openSite(transport, first.operatorKey);
    return {
      ...{ adminUrl, appDatabaseUrl, db, siteId: siteId as SiteId, key },
      urls: services.map(({ url }) => url),
      async killService(n) {
        const service = services[n];
        if (!service) throw new Error(`there is no process ${n}`);
        await service.stop("SIGKILL");
        logs.push(service.stderr());
        services[n] = await restart({ ...options, port: service.port });
      },
      async killPostgres() {
        const killed = postgres.pid();
        process.kill(killed, "SIGKILL");
        await until(() => postgres.pid() !== killed, RECOVERY_MS_MAX);
        await Promise.all(services.map(untilRecovered));
      },
      unexpectedErrors: () =>
        [...logs, ...services.map((service) => service.stderr())]
          .flatMap((log) => log.split("\n"))
          .filter((line) => line.includes('"unexpected error"')),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** On a machine with more to do than it can, a start may take longer than one is given. */
async function restart(options: ServiceOptions): Promise<TestService> {
  return await startService(options).catch(() => startService(options));
}

/** @throws if the process has not outlived its database, or does not find it again. */
async function untilRecovered({ url, exitCode, stderr }: TestService): Promise<void> {
  const isDead = () => exitCode() !== undefined;
  await until(() => isDead() || isReady(url), RECOVERY_MS_MAX);
  if (isDead()) throw new Error(`a process ended with its database:\n${stderr().slice(-4_000)}`);
}

async function isReady(url: string): Promise<boolean> {
  return (await fetch(`${url}/readyz`)).ok;
}
