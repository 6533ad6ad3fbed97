import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InvalidTokenReason } from "../../gen/signet/v1/auth_service_pb.ts";
import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import { WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import { createSignetClient, type SignetClient } from "../../src/client/index.ts";
import {
  clientsOf,
  grpcClients,
  openSite,
  refusal,
  signUp,
  type TestSite,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { keepCalling } from "../support/restless-calls.ts";
import { createServiceKeys, runService, type TestService } from "../support/service.ts";
import { until } from "../support/waiting.ts";
import { openWatch } from "../support/watch.ts";
import {
  clientsAtWorker,
  isAlive,
  startWorkers,
  untilWorkers,
  workerOfCall,
  workersOf,
} from "../support/workers.ts";

const WAIT_MS_MAX = 60_000;

let database: TestDatabase;
let service: TestService;
let site: TestSite;
let client: SignetClient;

beforeAll(async () => {
  database = await openTestDatabase();
  const env = { SIGNET_RATE_LIMIT_PERCENT: "100000" };
  service = await startWorkers(2, { databaseUrl: database.appUrl, env });
  site = await openSite(createGrpcTransport({ baseUrl: service.url }), service.operatorKey);
  client = createSignetClient({ url: service.url, key: site.key });
});

afterAll(async () => {
  client.close();
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe("two workers", () => {
  test.each([
    ["gRPC", (baseUrl: string) => createGrpcTransport({ baseUrl })],
    ["Connect over HTTP/2", connectOver("2")],
    ["JSON over HTTP/1.1", connectOver("1.1")],
  ])("get connections in turn, over %s", async (_name, transport) => {
    const ids = Array.from({ length: 4 }, () => unique("call"));

    for (const id of ids) {
      const clients = clientsOf(transport(service.url), site.key);
      await clients.sites.getSite({}, { headers: { "x-request-id": id } });
    }
    const workers = await Promise.all(ids.map((id) => workerOfCall(service, id)));

    expect(new Set(workers)).toEqual(new Set(workersOf(service).map(({ worker }) => worker)));
  });

  test("hear of a Revocation within 1 s, whichever has done it", async () => {
    const [first, second] = workersOf(service).map(({ worker }) => worker);
    // One after the other: two that look at once may be given each other's worker every time.
    const here = await clientsAtWorker(service, site.key, present(first));
    const there = await clientsAtWorker(service, site.key, present(second));
    const { accessToken, refreshToken } = await signUp(here);
    const { result: before } = await there.auth.validateToken({ token: accessToken });
    await here.auth.logout({ refreshToken });
    const refused = await until(async () => {
      const { result } = await there.auth.validateToken({ token: accessToken });
      return result.case === "invalid" ? result.value : undefined;
    }, 1_000);

    expect(before.case).toBe("valid");
    expect(refused.reason).toBe(InvalidTokenReason.REVOKED);
  });

  test("cannot take a port that others have, and say so once", async () => {
    const keys = createServiceKeys();
    const { exitCode, stdout, stderr } = await runService({
      PORT: `${service.port}`,
      DATABASE_URL: database.appUrl,
      SIGNET_OPERATOR_KEY: keys.operatorKey,
      SIGNET_MASTER_KEYS: keys.masterKeys,
      SIGNET_WORKERS: "2",
    });

    expect(exitCode).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.match(/^Signet cannot start: .*EADDRINUSE.*$/gm)).toHaveLength(1);
  });
});

describe("calls that are tried again after UNAVAILABLE", () => {
  test("outlive the kill of a worker, which is followed by another", async () => {
    const { accessToken: token } = await signUp(site.backend);
    await using calls = keepCalling(8, async () => {
      const own = createSignetClient({ url: service.url, key: site.key });
      await own.auth.validateToken({ token }).finally(own.close);
    });
    await until(() => calls.done() > 20);
    const before = workersOf(service);

    process.kill(before.at(-1)?.pid ?? 0, "SIGKILL");
    const after = await untilWorkers(service, before.length + 1);
    const doneBefore = calls.done();
    await until(() => calls.done() > doneBefore + 20);
    await calls.stop();
    const successor = after.at(-1)?.worker ?? 0;
    const reached = await clientsAtWorker(service, site.key, successor);

    expect((await reached.auth.validateToken({ token })).result.case).toBe("valid");
  });

  test("outlive the replacement of all, as does a stream, without a gap", async () => {
    const before = workersOf(service);
    const replaced = before.map(({ pid }) => pid).filter(isAlive);
    const created = new Set<string>();
    await using follower = openFollower(service, site.key);
    await follower.follows;
    await using writes = keepCalling(4, async () => {
      const { user } = await client.users.createUser({ email: uniqueEmail() });
      created.add(user?.id ?? "");
    });
    await until(() => follower.seen.size > 5);

    process.kill(service.pid, "SIGUSR2");
    await untilWorkers(service, before.length + 2);
    await until(() => !replaced.some(isAlive), WAIT_MS_MAX);
    await writes.stop();
    await until(() => created.isSubsetOf(follower.seen), WAIT_MS_MAX);

    expect(replaced).toHaveLength(2);
    expect(follower.gaps()).toBe(0);
    expect(service.stderr()).not.toMatch(/"level":[56]0(?!.*worker has ended)/);
  });
});

// The last: it ends the service of this file.
test("SIGTERM drains all workers, and ends the service with 0", async () => {
  const pids = workersOf(service).map(({ pid }) => pid);
  const watches = Array.from({ length: 4 }, () =>
    openWatch(grpcClients(service.url, site.key), { start: WatchStart.HEAD }, WAIT_MS_MAX),
  );
  await Promise.all(watches.map((watch) => watch.next("hello")));
  const ends = watches.map(async (watch) => {
    const { reason } = await watch.next("goodbye");
    return { reason, end: await refusal(watch.next("hello")) };
  });

  const exitCode = await service.stop("SIGTERM");

  expect(exitCode).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);
  for (const { reason, end } of await Promise.all(ends)) {
    expect(reason).toBe(GoodbyeReason.DRAINING);
    expect(end).toMatchObject({ code: "Unavailable", reason: "SHUTTING_DOWN" });
  }
});

/** Follows the Users of the Site, with the client's own retries, and counts what is missing. */
function openFollower({ url }: TestService, key: string) {
  const own = createSignetClient({ url, key });
  const seen = new Set<string>();
  const hello = Promise.withResolvers<void>();
  let [position, gaps] = [0, 0];
  const read = async (): Promise<void> => {
    for await (const item of own.subscribe({ start: "head" })) {
      if (item.type === "hello") hello.resolve();
      if (item.type !== "changes") continue;
      if (position > 0 && Number(item.previousPosition) > position) gaps += 1;
      position = Number(item.position);
      for (const { user } of item.changes) seen.add(user?.id ?? "");
    }
  };
  const reading = read();
  return {
    seen,
    /** From then on it misses nothing. */
    follows: hello.promise,
    gaps: () => gaps,
    async [Symbol.asyncDispose]() {
      own.close();
      await reading;
    },
  };
}

function connectOver(httpVersion: "1.1" | "2") {
  return (baseUrl: string) =>
    httpVersion === "2"
      ? createConnectTransport({ baseUrl, httpVersion })
      : createConnectTransport({
          baseUrl,
          httpVersion,
          useBinaryFormat: false,
          nodeOptions: { agent: false }, // A connection for each.
        });
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("there are fewer than two workers");
  return value;
}
