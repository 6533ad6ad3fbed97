import { gzipSync } from "node:zlib";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ErrorDetailSchema, ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import { callHonestly, callRaw, envelope, rejection } from "../support/edge-calls.ts";
import { type EdgeProcess, startEdgeProcess } from "../support/edge-process.ts";
import { EdgeService } from "../support/edge-service.ts";
import { TRANSPORTS } from "../support/edge-transports.ts";
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
  headerBlock,
  received,
} from "../support/raw-http2.ts";

const ECHO = "/test.v1.EdgeService/Echo";
const LIMITS = { callTimeoutMsMax: 2_000, callTimeoutMsDefault: 2_000 };

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

describe("a malformed target", () => {
  test.each([
    ["an open bracket as host", `POST ${ECHO} HTTP/1.1\r\nhost: [\r\n\r\n`, "400"],
    ["a port out of range", `POST ${ECHO} HTTP/1.1\r\nhost: x:99999\r\n\r\n`, "400"],
    ["user information", `POST ${ECHO} HTTP/1.1\r\nhost: a@b\r\n\r\n`, "400"],
    ["no host", `POST ${ECHO} HTTP/1.1\r\n\r\n`, "400"],
    ["two hosts", `GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n`, "400"],
    ["a whole URL", `GET http://x/healthz HTTP/1.1\r\nhost: y\r\n\r\n`, "200"],
    ["a malformed whole URL", `GET http://x:99999/healthz HTTP/1.1\r\nhost: y\r\n\r\n`, "400"],
    ["no host in HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n", "200"],
    ["an asterisk", "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", "404"],
    [
      "bad percent-encoding",
      "GET /sites/%zz/.well-known/jwks.json HTTP/1.1\r\nhost: a\r\n\r\n",
      "404",
    ],
    ["nonsense", "\0\0\0\0\0\0\r\n\r\n", "400"],
    ["an upgrade to h2c", upgradeRequest(), "200"],
    [
      "headers that are too large",
      `GET / HTTP/1.1\r\nhost: a\r\nx: ${"a".repeat(2e4)}\r\n\r\n`,
      "431",
    ],
  ])("of HTTP/1.1 is answered: %s", async (_name, request, status) => {
    const socket = await connectRaw(server.port);
    const answer = received(socket, 300);

    socket.write(request);

    expect(String(await answer)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    socket.destroy();
  });

  test("by CONNECT ends the connection", async () => {
    const socket = await connectRaw(server.port);

    socket.write("CONNECT x:1 HTTP/1.1\r\nhost: x:1\r\n\r\n");

    expect(await closed(socket, 1_000)).toBe(true);
  });

  test.each(["x:99999", "[", "[::1", "a@b", "", "x:y"])(
    "of HTTP/2 is answered or refused: authority %j",
    async (authority) => {
      const socket = await connectHttp2(server.port);
      const fields = { ":method": "POST", ":scheme": "http", ":path": ECHO };
      const block = headerBlock({ ...fields, ":authority": authority });

      socket.write(frame(FRAME.headers, END_HEADERS | END_STREAM, 1, block));

      const types = frameTypes(await received(socket, 200));
      expect(types.has(FRAME.headers) || types.has(FRAME.reset) || socket.destroyed).toBe(true);
      socket.destroy();
    },
  );
});

describe("a message that is too large", () => {
  const tooLarge = { value: new Uint8Array(100_000) };
  const TOO_LARGE = { reason: ErrorReason.MESSAGE_TOO_LARGE };

  test.each(TRANSPORTS)("is refused with RESOURCE_EXHAUSTED: %s", async (_name, transport) => {
    const client = createClient(EdgeService, transport(url()));

    const unary = await rejection(client.echo(tooLarge));
    const streaming = await rejection(client.collect(repeat(tooLarge, 3)));

    for (const error of [unary, streaming]) {
      expect(error.code).toBe(Code.ResourceExhausted);
      expect(error.findDetails(ErrorDetailSchema)).toMatchObject([TOO_LARGE]);
    }
  });

  test("is told to a client that is held up while it writes, and has not read yet", async () => {
    const client = createClient(
      EdgeService,
      createGrpcWebTransport({ baseUrl: url(), httpVersion: "1.1" }),
    );

    const error = await rejection(client.collect(heldUp(tooLarge, 1_500)));

    expect(error.code).toBe(Code.ResourceExhausted);
  });

  test("is refused while it is only announced, 4 GiB of it", async () => {
    const announced = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);

    const { trailers } = await callRaw(server.port, "application/grpc", announced, { ends: false });

    expect(trailers["grpc-status"]).toBe(String(Code.ResourceExhausted));
  });

  test("is refused when it grows by decompression, in each protocol", async () => {
    const bomb = gzipSync(Buffer.alloc(40_000_000));
    const headers = { "content-encoding": "gzip", "grpc-encoding": "gzip" };

    const connect = await callRaw(server.port, "application/proto", bomb.subarray(0, 60_000), {
      headers,
    });
    const grpc = await callRaw(server.port, "application/grpc", envelope(bomb, 1), { headers });

    expect(connect.headers[":status"]).toBe(429);
    expect(grpc.trailers["grpc-status"]).toBe(String(Code.ResourceExhausted));
    expect(grpc.trailers).toHaveProperty("grpc-status-details-bin");
    // Whoever can tell how large it is has unpacked all of it.
    expect(grpc.trailers["grpc-message"]).not.toContain("40000000");
  });
});

describe("a body that is malformed", () => {
  test.each([
    ["an envelope cut off", Buffer.from([0, 0, 0]), {}],
    ["a message cut off", Buffer.from([0, 0, 0, 0, 9, 1]), {}],
    ["no gzip although it says so", envelope(Buffer.alloc(99, 7), 1), { "grpc-encoding": "gzip" }],
    ["half a gzip", envelope(gzipSync("hello").subarray(0, 15), 1), { "grpc-encoding": "gzip" }],
  ])("is answered with INVALID_ARGUMENT: %s", async (_name, body, headers) => {
    const { trailers } = await callRaw(server.port, "application/grpc", body, { headers });

    expect(trailers["grpc-status"]).toBe(String(Code.InvalidArgument));
  });

  test("is not taken for a whole one after a reset", async () => {
    const before = (await server.state()).collected;
    const socket = await connectHttp2(server.port);
    const path = "/test.v1.EdgeService/Collect";
    const message = envelope(Buffer.from([0x0a, 1, 65]));

    socket.write(frame(FRAME.headers, END_HEADERS, 1, grpcHeaders(path)));
    socket.write(frame(FRAME.data, 0, 1, message));
    socket.write(frame(FRAME.reset, 0, 1, Buffer.from([0, 0, 0, 8])));
    await closed(socket, 200);

    expect((await server.state()).collected).toBe(before);
    socket.destroy();
  });
});

describe("a deadline", () => {
  test.each(["-1S", "1", "S", "1x", "123456789S", "1S, 1S"])(
    "that is malformed is refused: %j",
    async (timeout) => {
      const { trailers } = await callRaw(server.port, "application/grpc", envelope(), {
        headers: { "grpc-timeout": timeout },
      });

      expect(trailers["grpc-status"]).toBe(String(Code.InvalidArgument));
    },
  );

  test("ends a unary call whose handler does not end", async () => {
    const client = createClient(EdgeService, createGrpcTransport({ baseUrl: url() }));

    // The client would wait for longer than this test, so that the end is the server's.
    const error = await rejection(client.hang({}, { timeoutMs: 3_600_000 }));

    expect(error.code).toBe(Code.DeadlineExceeded);
    expect((await server.state()).hanging).toBe(0);
  }, 30_000);

  test("ends a unary call whose body never comes", async () => {
    const { trailers } = await callRaw(server.port, "application/grpc", Buffer.alloc(0), {
      ends: false,
    });

    expect(trailers["grpc-status"]).toBe(String(Code.DeadlineExceeded));
  });
});

function url(): string {
  return `http://127.0.0.1:${server.port}`;
}

async function* repeat<T>(value: T, times: number): AsyncGenerator<T> {
  for (let n = 0; n < times; n += 1) yield value;
}

function upgradeRequest(): string {
  const upgrade = "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk";
  return `GET /healthz HTTP/1.1\r\nhost: a\r\n${upgrade}\r\n\r\n`;
}

/** Nothing in this process runs between the first message and the second, as on a full machine. */
async function* heldUp<T>(message: T, ms: number): AsyncGenerator<T> {
  yield message;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  yield message;
}
