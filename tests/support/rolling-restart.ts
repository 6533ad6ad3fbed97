import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { namingLostConnection } from "../../src/client/errors.ts";
import { createSignetClient } from "../../src/client/index.ts";
import { type Balancer, startBalancer } from "./balancer.ts";
import { type Clients, clientsOf, openSite, patiently, signUp, uniqueEmail } from "./builders.ts";
import { openTestDatabase, runAsAdmin } from "./database.ts";
import { subscribe } from "./restart-trial.ts";
import { createServiceKeys, freePort, startService } from "./service.ts";
import { until } from "./waiting.ts";

/** What a rolling restart was like for those who were there. */
export interface RollingRestart {
  /** Of each process, in their order. */
  readonly exits: readonly { readonly code: number | null; readonly ms: number }[];
  /** Calls that were answered. */
  readonly calls: number;
  /** Attempts that ended with UNAVAILABLE and were made again. */
  readonly repeats: number;
  /** Calls that failed otherwise, or again and again. */
  readonly failures: readonly string[];
  /** Users that were created more often, or less often, than their creation was answered. */
  readonly miscounted: number;
  /** Positions that a subscriber was never sent. */
  readonly gaps: number;
}

/** How big it is. */
export interface RollingRestartOptions {
  readonly streams: number;
  readonly callers: number;
  /** Calls that are answered before, between and after the restarts, at least. */
  readonly callsBetween: number;
  /** What stands before the processes; by default what balances connections. */
  readonly balance?: (ports: readonly number[]) => Promise<Balancer>;
  /** How long a call that ends with UNAVAILABLE is made again; by default 8 s. */
  readonly repeatsMsMax?: number;
}

const PROCESSES = 2;
/** Less than the 10 s after which a process that ends would cut whoever it has sent nowhere. */
const REPEATS_MS_MAX = 8_000;
const PAUSE_MS = 50;
const PATIENCE_MS = 60_000;
const ENV = {
  SIGNET_RATE_LIMIT_PERCENT: "100000",
  SIGNET_TRUSTED_PROXIES: "127.0.0.1",
  LOG_LEVEL: "error",
};

/** Restarts two processes behind a balancer, one after the other, under streams and calls. */
export async function restartRolling(options: RollingRestartOptions): Promise<RollingRestart> {
  await using database = await openTestDatabase();
  const keys = createServiceKeys();
  const ports = await Promise.all(Array.from({ length: PROCESSES }, freePort));
  const start = (port: number) =>
    startService({ databaseUrl: database.appUrl, keys, port, env: ENV });
  await using services = new AsyncDisposableStack();
  const running = await Promise.all(ports.map(start));
  for (const service of running) services.use(service);
  await using balancer = await (options.balance ?? startBalancer)(ports);
  const { url } = balancer;
  const site = await openSite(createGrpcTransport({ baseUrl: url }), keys.operatorKey);
  const client = createSignetClient({ url, key: site.key });
  const subscribers = Array.from({ length: options.streams }, (_, n) =>
    subscribe(client, `subscriber-${n}`),
  );
  const callers = await openCallers(balancer, site.key, options);
  const course = { running: true };
  const calling = callers.run(course);
  const more = async () => {
    const before = callers.calls();
    await until(() => callers.calls() >= before + options.callsBetween, PATIENCE_MS);
  };
  const exits: { code: number | null; ms: number }[] = [];
  await until(() => subscribers.every(({ position }) => position() > 0), PATIENCE_MS);
  for (const service of running) {
    await more();
    const beginMs = performance.now();
    const code = await service.stop("SIGTERM");
    exits.push({ code, ms: performance.now() - beginMs });
    await more();
    services.use(await start(service.port));
  }
  await more();
  course.running = false;
  await calling;
  const wanted = `site_id = '${site.siteId}' and display_name = 'rolling'`;
  const [users] = await runAsAdmin<{ readonly count: number; readonly position: number }>(
    database.adminUrl,
    `select (select count(*)::integer from signet.users where ${wanted}) as count,
            position::integer
       from signet.site_heads where site_id = '${site.siteId}'`,
  );
  const end = users?.position ?? 0;
  await until(() => subscribers.every(({ position }) => position() >= end), PATIENCE_MS);
  client.close();
  await Promise.all(subscribers.map(({ ended }) => ended));
  return {
    exits,
    calls: callers.calls(),
    repeats: callers.repeats(),
    failures: callers.failures,
    miscounted: Math.abs(callers.created() - (users?.count ?? 0)),
    gaps: subscribers.reduce((sum, { gaps }) => sum + gaps(), 0),
  };
}

/** Connect for Node calls a lost connection by other names than gRPC, which says UNAVAILABLE. */
const naming: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    throw namingLostConnection(error, request.signal.aborted);
  }
};

const COMMON = { interceptors: [naming] };

const TRANSPORTS: readonly ((balancer: Balancer) => Transport)[] = [
  ({ url }) => createGrpcTransport({ ...COMMON, baseUrl: url }),
  ({ url }) => createConnectTransport({ ...COMMON, baseUrl: url, httpVersion: "2" }),
  ({ url, http1Url: baseUrl = url }) =>
    createConnectTransport({ ...COMMON, baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  ({ url, http1Url: baseUrl = url }) =>
    createGrpcWebTransport({ ...COMMON, baseUrl, httpVersion: "1.1" }),
];

/** Backends that call all the time, over every protocol, each with a Session to refresh. */
async function openCallers(
  balancer: Balancer,
  key: string,
  { callers, repeatsMsMax = REPEATS_MS_MAX }: RollingRestartOptions,
) {
  const failures: string[] = [];
  const counts = { calls: 0, repeats: 0, created: 0 };

  /** Makes a call again as long as it ends with UNAVAILABLE; undefined: it has failed. */
  async function call<T>(attempt: () => Promise<T>): Promise<T | undefined> {
    const deadlineMs = performance.now() + repeatsMsMax;
    for (;;) {
      try {
        const answer = await attempt();
        counts.calls += 1;
        return answer;
      } catch (error) {
        const isPassing = error instanceof ConnectError && error.code === Code.Unavailable;
        if (!isPassing || performance.now() > deadlineMs) {
          failures.push(String(error));
          return undefined;
        }
        counts.repeats += 1;
        await sleep(PAUSE_MS);
      }
    }
  }

  async function live(clients: Clients, course: { readonly running: boolean }): Promise<void> {
    const { auth, users } = clients;
    let { refreshToken, accessToken } = await patiently(() => signUp(clients));
    while (course.running) {
      const email = uniqueEmail();
      const made = await call(() => users.createUser({ email, displayName: "rolling" }));
      if (made) counts.created += 1;
      const userId = made?.user?.id ?? "";
      await call(() => users.getUser({ userId }));
      await call(() => users.updateUser({ userId, locale: "en" }));
      await call(() => auth.validateToken({ token: accessToken }));
      const next = await call(() => auth.refreshToken({ refreshToken }));
      refreshToken = next?.tokens?.refreshToken ?? refreshToken;
      accessToken = next?.tokens?.accessToken ?? accessToken;
    }
  }

  const all = Array.from({ length: callers }, (_, n) => clientsOf(openTransport(n, balancer), key));
  return {
    failures,
    calls: () => counts.calls,
    repeats: () => counts.repeats,
    created: () => counts.created,
    async run(course: { readonly running: boolean }) {
      await Promise.all(all.map((clients) => live(clients, course)));
    },
  };
}

function openTransport(n: number, balancer: Balancer): Transport {
  const open = TRANSPORTS[n % TRANSPORTS.length];
  if (!open) throw new Error("there is no such transport");
  return open(balancer);
}
