import { createGrpcTransport } from "@connectrpc/connect-node";
import type { SiteId } from "../../src/model/id.ts";
import { createDatabase, type Database } from "../../src/store/database.ts";
import type { EmbeddedPostgres } from "../../src/store/embedded-postgres.ts";
import { migrate } from "../../src/store/migrate.ts";
import { ensureDatabase, prepareRoles } from "../../src/store/roles.ts";
import { openSite } from "./builders.ts";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";
import { silentLog, startTestPostgres } from "./postgres.ts";
import {
  createServiceKeys,
  freePort,
  type ServiceOptions,
  startService,
  type TestService,
} from "./service.ts";
import { until } from "./waiting.ts";

/** What stands around one process of the service. */
export interface ProcessLinks {
  /** Between its clients and it. */
  readonly clients: FaultProxy;
  /** Between it and PostgreSQL. */
  readonly database: FaultProxy;
}

/** Processes of the service over a PostgreSQL of their own, all of which can be killed. */
export interface KillableSignet extends AsyncDisposable {
  /** The superuser's, to the database of the service. */
  readonly adminUrl: string;
  /** The migrator's. */
  readonly ownerUrl: string;
  /** The superuser's, to an empty database of an app in the same PostgreSQL. */
  readonly appDatabaseUrl: string;
  /** Connected as the application role, beside the service. */
  readonly db: Database;
  readonly siteId: SiteId;
  /** May do everything at its Site. */
  readonly key: string;
  /** Where the processes are; they come back in the same place. */
  readonly urls: readonly string[];
  /** One of each process; none where it was not asked for. */
  readonly links: readonly ProcessLinks[];
  /** The server process of PostgreSQL. */
  postgresPid(): number;
  /** Kills a process by SIGKILL, and waits until it is ready again. */
  killService(n: number): Promise<void>;
  /**
   * Has a process leave by SIGTERM and another come in its place, for good, and ready; returns the
   * exit code of the former.
   */
  replaceService(n: number, changed?: Partial<ServiceOptions>): Promise<number | null>;
  /** Kills PostgreSQL by SIGKILL, and waits until every process is ready again. */
  killPostgres(signal: AbortSignal): Promise<void>;
  /** Waits until every process is ready; fails where one has ended by itself. */
  untilReady(signal: AbortSignal): Promise<void>;
  /** Errors that nobody expected, from the logs of all processes that there were. */
  unexpectedErrors(): readonly string[];
}

/** What a Signet that can be killed has around it. */
export interface KillableOptions {
  readonly processes: number;
  /** Whether a proxy stands before and behind each process; by default not. */
  readonly linked?: boolean;
  /** Where PostgreSQL keeps its data; by default in a temporary folder. */
  readonly dataDir?: string;
  /** Further variables of a process. */
  readonly env?: (process: number) => Readonly<Record<string, string>>;
}

const RECOVERY_MS_MAX = 60_000;

/** Starts everything, with a database that keeps what it has confirmed, and opens a Site. */
export async function openKillableSignet(options: KillableOptions): Promise<KillableSignet> {
  await using opening = new AsyncDisposableStack();
  const { dataDir } = options;
  const postgres = opening.use(
    await startTestPostgres({ durable: true, ...(dataDir && { dataDir }) }),
  );
  const adminUrl = await ensureDatabase(postgres.adminUrl, "signet");
  const appDatabaseUrl = await ensureDatabase(postgres.adminUrl, "app");
  const roles = await prepareRoles(adminUrl);
  await migrate({ ownerUrl: roles.ownerUrl, log: silentLog });
  const db = opening.use(createDatabase({ url: roles.url, log: silentLog }));
  const places = await openPlaces(options, postgres, roles.url, opening);
  const services: TestService[] = [];
  opening.defer(async () => {
    await Promise.all(services.map((service) => service[Symbol.asyncDispose]()));
  });
  for (const { start } of places) services.push(await startService(start));
  const { siteId, key } = await openFirstSite(services);
  const everything = opening.move();
  return {
    adminUrl,
    appDatabaseUrl,
    db,
    siteId,
    key,
    ownerUrl: roles.ownerUrl,
    urls: places.map(({ url }) => url),
    links: places.flatMap(({ links }) => links ?? []),
    postgresPid: () => postgres.pid(),
    ...createControl({ postgres, places, services }),
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

/** Where a process is, for good. */
interface Place {
  readonly url: string;
  /** How it is started, as it was replaced last. */
  readonly start: ServiceOptions;
  readonly links: ProcessLinks | undefined;
}

async function openPlaces(
  { processes, linked = false, env }: KillableOptions,
  postgres: EmbeddedPostgres,
  databaseUrl: string,
  opening: AsyncDisposableStack,
): Promise<Place[]> {
  const keys = createServiceKeys();
  const places: Place[] = [];
  for (let n = 0; n < processes; n += 1) {
    const port = await freePort();
    const links = linked ? await openLinks(port, postgres.port) : undefined;
    for (const proxy of Object.values(links ?? {})) opening.use(proxy);
    const ownDatabaseUrl = new URL(databaseUrl);
    if (links) ownDatabaseUrl.port = String(links.database.port);
    places.push({
      url: `http://127.0.0.1:${links?.clients.port ?? port}`,
      links,
      start: {
        databaseUrl: ownDatabaseUrl.href,
        keys,
        port,
        env: { LOG_LEVEL: "error", ...env?.(n) }, // A line for each call is more than is kept.
      },
    });
  }
  return places;
}

async function openLinks(port: number, databasePort: number): Promise<ProcessLinks> {
  return {
    clients: await startFaultProxy(port),
    database: await startFaultProxy(databasePort),
  };
}

async function openFirstSite([first]: readonly TestService[]) {
  if (!first) throw new Error("there is no process");
  const transport = createGrpcTransport({ baseUrl: first.url });
  const { siteId, key } = await openSite(transport, first.operatorKey);
  return { siteId: siteId as SiteId, key };
}

/** All that is started, and what it has left behind. */
interface Parts {
  readonly postgres: EmbeddedPostgres;
  readonly places: Place[];
  readonly services: TestService[];
}

function createControl({ postgres, places, services }: Parts) {
  const logs: string[] = [];

  async function replace(
    n: number,
    signal: NodeJS.Signals,
    changed: Partial<ServiceOptions> = {},
  ): Promise<number | null> {
    const [service, place] = [services[n], places[n]];
    if (!service || !place) throw new Error(`there is no process ${n}`);
    const exitCode = await service.stop(signal);
    logs.push(service.stderr());
    const start = { ...place.start, ...changed, env: { ...place.start.env, ...changed.env } };
    places[n] = { ...place, start };
    services[n] = await restart(start);
    return exitCode;
  }

  const untilReady = async (signal: AbortSignal): Promise<void> => {
    await Promise.all(services.map((service) => untilRecovered(service, signal)));
  };

  return {
    untilReady,
    async killService(n: number) {
      await replace(n, "SIGKILL");
    },
    replaceService: (n: number, changed?: Partial<ServiceOptions>) =>
      replace(n, "SIGTERM", changed),
    async killPostgres(signal: AbortSignal) {
      const killed = postgres.pid();
      process.kill(killed, "SIGKILL");
      await until(() => postgres.pid() !== killed, RECOVERY_MS_MAX, signal);
      await untilReady(signal);
    },
    unexpectedErrors: () =>
      [...logs, ...services.map((service) => service.stderr())]
        .flatMap((log) => log.split("\n"))
        .filter((line) => line.includes('"unexpected error"')),
  };
}

/** On a machine with more to do than it can, a start may take longer than one is given. */
async function restart(options: ServiceOptions): Promise<TestService> {
  return await startService(options).catch(() => startService(options));
}

/** @throws if the process has not outlived its database, or does not find it again. */
async function untilRecovered(
  { url, exitCode, stderr }: TestService,
  signal: AbortSignal,
): Promise<void> {
  const isDead = () => exitCode() !== undefined;
  await until(() => isDead() || isReady(url), RECOVERY_MS_MAX, signal);
  if (isDead()) throw new Error(`a process ended with its database:\n${stderr().slice(-4_000)}`);
}

async function isReady(url: string): Promise<boolean> {
  return (await fetch(`${url}/readyz`)).ok;
}
