import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { Code, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/health/v1/health_pb.ts";
import { createReadiness } from "../../src/server/readiness.ts";
import { createServer } from "../../src/server/server.ts";
import { codeOf, pause } from "../support/edge-calls.ts";
import { startEdgeProcess } from "../support/edge-process.ts";
import { EdgeService } from "../support/edge-service.ts";
import { TRANSPORTS } from "../support/edge-transports.ts";

describe("a drain", () => {
  test("ends 200 streams with UNAVAILABLE, finishes a call, and exits within seconds", async () => {
    await using drained = await startEdgeProcess();
    const baseUrl = `http://127.0.0.1:${drained.port}`;
    const transports = TRANSPORTS.map(([, transport]) => transport(baseUrl));
    const streams = Array.from({ length: 200 }, (_, n) => {
      const transport = transports[n % transports.length] as Transport;
      return createClient(EdgeService, transport).hangStream({})[Symbol.asyncIterator]();
    });
    await Promise.all(streams.map((stream) => stream.next()));
    const ends = streams.map((stream) => codeOf(stream.next()));
    const health = createClient(Health, createGrpcTransport({ baseUrl })).watch({});
    const statuses: Status[] = [];
    const watched = codeOf(collect(health, ({ status }) => statuses.push(status)));
    const call = codeOf(
      createClient(EdgeService, createGrpcTransport({ baseUrl })).hang({}, { timeoutMs: 700 }),
    );
    while (statuses.length === 0 || (await drained.state()).hanging < 201) await pause(10);
    const started = performance.now();

    drained.order({ type: "drain", graceMs: 30_000 });
    const codes = new Set(await Promise.all(ends));
    const streamsEndedMs = performance.now() - started;
    const refused = await refusesConnections(drained.port);
    const exitCode = await drained.exited;

    expect([...codes]).toEqual([Code.Unavailable]);
    expect(streamsEndedMs).toBeLessThan(10_000);
    expect(await watched).toBe(Code.Unavailable);
    expect(statuses).toEqual([Status.SERVING, Status.NOT_SERVING]);
    expect(await call).toBe(Code.DeadlineExceeded);
    expect(refused).toBe(true);
    expect(exitCode).toBe(0);
    expect(performance.now() - started).toBeLessThan(15_000);
  });

  test("ends a call that outlasts its grace with UNAVAILABLE", async () => {
    await using drained = await startEdgeProcess();
    const baseUrl = `http://127.0.0.1:${drained.port}`;
    const call = codeOf(createClient(EdgeService, createGrpcTransport({ baseUrl })).hang({}));
    while ((await drained.state()).hanging < 1) await pause(10);

    drained.order({ type: "drain", graceMs: 300 });

    expect(await call).toBe(Code.Unavailable);
    expect(await drained.exited).toBe(0);
  });
});

describe("a port that is taken", () => {
  test("fails to listen with EADDRINUSE, and the drain ends at once", async () => {
    const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
    await using first = await startEdgeProcess();
    const second = createServer({
      config: { host: "127.0.0.1", port: first.port },
      routes: ignore,
      interceptors: [],
      readiness: createReadiness([]),
      wellKnown: { jwks: async () => undefined, issuer: async () => undefined },
      log,
    });

    await expect(second.listen()).rejects.toMatchObject({ code: "EADDRINUSE" });
    await second.drain();
  });
});

describe("an error that nobody expected", () => {
  test("drains the process and ends it with 1", async () => {
    await using crashing = await startEdgeProcess();
    const baseUrl = `http://127.0.0.1:${crashing.port}`;
    const client = createClient(EdgeService, createGrpcTransport({ baseUrl }));
    const stream = client.hangStream({})[Symbol.asyncIterator]();
    await stream.next();

    crashing.order({ type: "crash" });

    expect(await codeOf(stream.next())).toBe(Code.Unavailable);
    expect(await crashing.exited).toBe(1);
  });
});

async function collect<T>(source: AsyncIterable<T>, take: (one: T) => void): Promise<void> {
  for await (const one of source) take(one);
}

async function refusesConnections(port: number): Promise<boolean> {
  const socket = connectTcp({ port, host: "127.0.0.1" });
  return once(socket, "connect").then(
    () => false,
    () => true,
  );
}

function ignore(): void {}
