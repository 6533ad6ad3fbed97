import type { Socket } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { callHonestly, envelope, pause, rejection } from "../support/edge-calls.ts";
import { type EdgeProcess, startEdgeProcess } from "../support/edge-process.ts";
import { EdgeService } from "../support/edge-service.ts";
import {
  closed,
  connectHttp2,
  connectRaw,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  frameTypes,
  grpcHeaders,
  received,
} from "../support/raw-http2.ts";

const LIMITS = {
  firstBytesMsMax: 500,
  headersMsMax: 1_000,
  requestCheckMs: 100,
  answerStallMsMax: 1_000,
  pingIntervalMs: 200,
};

let server: EdgeProcess;
let residentBytesAtStart: number;

beforeAll(async () => {
  server = await startEdgeProcess({ limits: LIMITS });
  await callHonestly(server.port);
  residentBytesAtStart = (await server.state()).residentBytes;
});
afterAll(async () => server[Symbol.asyncDispose]());

afterEach(async () => {
  const millisecondsTaken = await callHonestly(server.port);
  const { residentBytes } = await server.state();

  expect(server.exitCode).toBeUndefined();
  expect(millisecondsTaken).toBeLessThan(5_000);
  expect((residentBytes - residentBytesAtStart) / 2 ** 20).toBeLessThan(100);
});

describe("a slow client", () => {
  test("is cut off when it sends nothing", async () => {
    const socket = await connectRaw(server.port);

    expect(await closed(socket, 2_000)).toBe(true);
  });

  test.each(["PRI * HT", "GET / HTTP/1.1\r\nhost: a\r\nx: "])(
    "is cut off when it stops within its first lines: %j",
    async (start) => {
      const socket = await connectRaw(server.port);

      socket.write(start);

      expect(await closed(socket, 3_000)).toBe(true);
    },
  );

  test("is served when it sends one byte at a time", async () => {
    const http1 = await connectRaw(server.port);
    const http2 = await connectRaw(server.port);
    const answers = [received(http1, 2_000), received(http2, 2_000)];

    await Promise.all([
      dribble(http1, "GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
      dribble(http2, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ]);
    http2.write(frame(FRAME.settings, 0, 0));

    const [first, second] = await Promise.all(answers);
    expect(String(first)).toMatch(/^HTTP\/1\.1 200 /);
    expect(frameTypes(second ?? Buffer.alloc(0))).toContain(FRAME.settings);
    http2.destroy();
  });

  test("is served when it ends its side after the request", async () => {
    const socket = await connectRaw(server.port);
    const answer = received(socket, 1_000);

    socket.end("GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");

    expect(String(await answer)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test("loses its stream when it never reads", async () => {
    const socket = await connectHttp2(server.port);
    const ask = envelope(Buffer.concat([Buffer.from([0x0a, 0xe0, 0xd4, 3]), Buffer.alloc(60_000)]));
    socket.pause();

    for (let stream = 1; stream < 100; stream += 2) {
      const headers = grpcHeaders("/test.v1.EdgeService/Stream");
      socket.write(frame(FRAME.headers, END_HEADERS, stream, headers));
      for (let n = 0; n < ask.length; n += 16_000) {
        const isLast = n + 16_000 >= ask.length ? END_STREAM : 0;
        socket.write(frame(FRAME.data, isLast, stream, ask.subarray(n, n + 16_000)));
      }
    }
    await pause(1_500);

    // No ping was answered either, so the whole connection is gone.
    expect(await closed(socket, 1_000)).toBe(true);
  });
});

describe("a flood", () => {
  test("of 10,000 rapid resets ends the connection", async () => {
    // Pings go out rarely here: one that stays unanswered would end the connection as well.
    await using unhurried = await startEdgeProcess();
    const socket = await connectHttp2(unhurried.port);
    const headers = grpcHeaders("/test.v1.EdgeService/Hang");
    const reset = Buffer.from([0, 0, 0, 8]);

    for (let stream = 1; stream < 20_000; stream += 2) {
      socket.write(frame(FRAME.headers, END_HEADERS, stream, headers));
      socket.write(frame(FRAME.reset, 0, stream, reset));
    }

    expect(await closed(socket, 10_000)).toBe(true);
    expect((await unhurried.state()).hanging).toBe(0);
  });

  test("of 50,000 half-open streams on five connections is shed", async () => {
    const headers = grpcHeaders("/test.v1.EdgeService/Collect");
    const sockets = await Promise.all(Array.from({ length: 5 }, () => connectHttp2(server.port)));

    for (const socket of sockets) {
      for (let stream = 1; stream < 20_000; stream += 2) {
        socket.write(frame(FRAME.headers, END_HEADERS, stream, headers));
      }
    }
    await pause(500);
    const { residentBytes } = await server.state();

    expect((residentBytes - residentBytesAtStart) / 2 ** 20).toBeLessThan(100);
    for (const socket of sockets) socket.destroy();
  });

  test.each([
    ["settings", frame(FRAME.settings, 0, 0, Buffer.from([0, 4, 0, 0, 255, 255]))],
    ["pings", frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
    ["empty data of no stream", frame(FRAME.data, 0, 1)],
    ["frames of no known type", frame(99, 0, 0, Buffer.alloc(8))],
  ])("of 20,000 %s does no harm", async (_name, bytes) => {
    const socket = await connectHttp2(server.port);
    socket.pause();

    socket.write(Buffer.concat(Array.from({ length: 20_000 }, () => bytes)));
    await pause(100);

    expect(server.exitCode).toBeUndefined();
    socket.destroy();
  });

  test("of headers is refused", async () => {
    const socket = await connectHttp2(server.port);
    const large = Object.fromEntries(
      Array.from({ length: 40 }, (_, n) => [`x-${n}`, "a".repeat(1_000)]),
    );
    const block = grpcHeaders("/test.v1.EdgeService/Echo", large);

    socket.write(frame(FRAME.headers, END_STREAM, 1, block.subarray(0, 16_000)));
    for (let n = 16_000; n < block.length; n += 16_000) {
      const isLast = n + 16_000 >= block.length ? END_HEADERS : 0;
      socket.write(frame(9, isLast, 1, block.subarray(n, n + 16_000)));
    }

    const answer = await received(socket, 300);
    expect(String(answer)).toContain("headers_too_large");
    socket.destroy();
  });
});

describe("a cap", () => {
  test("on the connections of one client refuses one more, and then has room again", async () => {
    await using capped = await startEdgeProcess({ limits: { connectionsPerClientMax: 3 } });
    const sockets = await Promise.all([1, 2, 3].map(() => connectHttp2(capped.port)));

    const fourth = await connectRaw(capped.port);
    const wasRefused = await closed(fourth, 1_000);
    sockets[0]?.destroy();
    await pause(100);
    const fifth = await connectHttp2(capped.port);

    expect(wasRefused).toBe(true);
    expect(await closed(fifth, 200)).toBe(false);
    for (const socket of [...sockets, fifth]) socket.destroy();
  });

  test("on calls refuses one more with RESOURCE_EXHAUSTED, without reading it", async () => {
    await using capped = await startEdgeProcess({ limits: { callsMax: 2 } });
    const baseUrl = `http://127.0.0.1:${capped.port}`;
    const grpc = createClient(EdgeService, createGrpcTransport({ baseUrl }));
    const connect = createClient(
      EdgeService,
      createConnectTransport({ baseUrl, httpVersion: "1.1" }),
    );
    const leaving = new AbortController();
    const hanging = [1, 2].map(() => rejection(grpc.hang({}, { signal: leaving.signal })));
    while ((await capped.state()).hanging < 2);

    const refused = await Promise.all([rejection(grpc.echo({})), rejection(connect.echo({}))]);

    expect(refused.map((error) => error.code)).toEqual([8, 8]);
    leaving.abort();
    await Promise.all(hanging);
    while ((await capped.state()).hanging > 0);
    await expect(grpc.echo({})).resolves.toBeDefined();
  });
});

async function dribble(socket: Socket, text: string): Promise<void> {
  for (const byte of text) {
    socket.write(byte);
    await pause(1);
  }
}
