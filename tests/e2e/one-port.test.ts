import { execFile } from "node:child_process";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/health/v1/health_pb.ts";
import { type EdgeProcess, startEdgeProcess } from "../support/edge-process.ts";
import { EdgeService } from "../support/edge-service.ts";
import { TRANSPORTS } from "../support/edge-transports.ts";

const BUF = fileURLToPath(new URL("../../node_modules/.bin/buf", import.meta.url));
const SITE = "019a0000-0000-7000-8000-000000000000";

let server: EdgeProcess;
let url: string;

beforeAll(async () => {
  server = await startEdgeProcess({ trustedProxies: ["127.0.0.1", "192.0.2.0/24"] });
  url = `http://127.0.0.1:${server.port}`;
});
afterAll(async () => server[Symbol.asyncDispose]());

describe.each(TRANSPORTS)("a client of %s", (_name, transport) => {
  test("makes a unary call", async () => {
    const client = createClient(EdgeService, transport(url));

    const { value } = await client.echo({ value: bytes("hello") });

    expect(text(value)).toBe("hello");
  });

  test("reads a stream", async () => {
    const client = createClient(EdgeService, transport(url));

    const stream = client.stream({ value: bytes("hello") })[Symbol.asyncIterator]();
    const messages = [await stream.next(), await stream.next(), await stream.next()];

    expect(messages.map(({ value }) => text(value.value))).toEqual(["hello", "hello", "hello"]);
    await stream.return?.();
  });

  test("gets a deadline of at most 30 s, its own if that is shorter", async () => {
    const client = createClient(EdgeService, transport(url));
    const remainingMs = async (timeoutMs?: number) => {
      const { value } = await client.remainingTime(
        {},
        timeoutMs === undefined ? {} : { timeoutMs },
      );
      return Number(text(value));
    };

    const [none, short, long] = [
      await remainingMs(),
      await remainingMs(5e3),
      await remainingMs(9e5),
    ];

    expect([none, short, long].map((ms) => Math.round(ms / 1_000))).toEqual([30, 5, 30]);
  });

  test("is heard with the address that a trusted proxy tells", async () => {
    const client = createClient(EdgeService, transport(url));
    const headers = { "x-forwarded-for": "198.51.100.7, 203.0.113.9, 192.0.2.1" };

    const { value } = await client.clientAddress({}, { headers });

    expect(text(value)).toBe("203.0.113.9");
  });

  test("hears that a method does not exist", async () => {
    const { methods } = Health;
    const stranger = { ...Health, typeName: "test.v1.Nobody", methods } as typeof Health;
    const check = { ...Health.method.check, parent: stranger };

    const call = transport(url).unary(check, undefined, undefined, {}, {});

    await expect(call).rejects.toMatchObject({ code: Code.Unimplemented });
  });
});

describe("grpc-js", () => {
  test("makes a unary call and watches", async () => {
    const client = new grpc.Client(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure());
    const pass = (value: Buffer): Buffer => value;

    const answer = await new Promise<Buffer | undefined>((resolve, reject) => {
      const path = "/grpc.health.v1.Health/Check";
      client.makeUnaryRequest(path, pass, pass, Buffer.alloc(0), (error, value) =>
        error === null ? resolve(value) : reject(error),
      );
    });
    const path = "/grpc.health.v1.Health/Watch";
    const watch = client.makeServerStreamRequest(path, pass, pass, Buffer.alloc(0));
    const [first] = await once(watch, "data");
    watch.on("error", () => undefined);
    watch.cancel();

    expect(answer).toEqual(Buffer.from([8, Status.SERVING]));
    expect(first).toEqual(Buffer.from([8, Status.SERVING]));
    client.close();
  });
});

describe("buf curl without a schema", () => {
  test.each(["grpc", "grpcweb", "connect"])("lists services and calls: %s", async (protocol) => {
    const curl = async (...more: readonly string[]) => {
      const options = ["curl", "--protocol", protocol, "--http2-prior-knowledge"];
      const { stdout } = await promisify(execFile)(BUF, [...options, ...more], { timeout: 10_000 });
      return stdout;
    };

    const services = await curl(url, "--list-services");
    const answer = await curl(`${url}/test.v1.EdgeService/Echo`, "-d", '"aGVsbG8="');

    expect(services.split("\n")).toEqual([
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "test.v1.EdgeService",
      "",
    ]);
    expect(JSON.parse(answer)).toBe("aGVsbG8=");
  });
});

describe("plain HTTP", () => {
  test("calls with JSON", async () => {
    const answer = await fetch(`${url}/grpc.health.v1.Health/Check`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });

    expect(await answer.json()).toEqual({ status: "SERVING" });
  });

  test("reads a JWKS from any origin, and 304 when it has not changed", async () => {
    const path = `${url}/sites/${SITE}/.well-known/jwks.json`;

    const first = await fetch(path);
    const again = await fetch(path, {
      headers: { "if-none-match": `W/${first.headers.get("etag")}` },
    });

    expect(await first.json()).toMatchObject({ keys: [{ kid: "1" }] });
    expect(first.headers.get("access-control-allow-origin")).toBe("*");
    expect(first.headers.get("cache-control")).toBe("public, max-age=60");
    expect(first.headers.get("x-content-type-options")).toBe("nosniff");
    expect(again.status).toBe(304);
  });

  test.each([
    ["GET", "/healthz", 200],
    ["HEAD", "/healthz", 200],
    ["POST", "/healthz", 405],
    ["GET", "/readyz?verbose", 200],
    ["GET", "/sites/nonsense/.well-known/jwks.json", 404],
    ["GET", "/sites//.well-known/jwks.json", 404],
    ["GET", "/nowhere", 404],
    ["GET", "/test.v1.EdgeService/Echo", 405],
    ["POST", "/test.v1.EdgeService/Nope", 404],
  ])("%s %s is answered with %i over both versions", async (method, path, status) => {
    const http1 = await fetch(`${url}${path}`, { method });
    const session = connectHttp2(url);
    const [http2] = await once(session.request({ ":method": method, ":path": path }), "response");

    expect(http1.status).toBe(status);
    expect(http2[":status"]).toBe(status);
    session.destroy();
  });

  test("gets 100 Continue before it sends its body", async () => {
    const headers = { "content-type": "application/json", expect: "100-continue" };
    const options = { method: "POST", headers };
    const request = httpRequest(`${url}/grpc.health.v1.Health/Check`, options);
    request.flushHeaders();

    await once(request, "continue");
    request.end("{}");
    const [answer] = await once(request, "response");

    expect(answer.statusCode).toBe(200);
    answer.resume();
  });
});

describe("readiness", () => {
  test("shows in /readyz and in every health watch, each in order", async () => {
    const health = createClient(Health, createGrpcTransport({ baseUrl: url }));
    const watch = health.watch({ service: "test.v1.EdgeService" })[Symbol.asyncIterator]();
    const seen = [await watch.next()];

    server.order({ type: "ready", holds: false });
    seen.push(await watch.next());
    const notReady = await fetch(`${url}/readyz`);
    server.order({ type: "ready", holds: true });
    seen.push(await watch.next());

    expect(seen.map(({ value }) => value.status)).toEqual([1, 2, 1]);
    expect(notReady.status).toBe(503);
    expect(await notReady.json()).toEqual({ status: "not_ready", missing: ["database"] });
    await watch.return?.();
  });

  test("of an unknown service is NOT_FOUND to a check and SERVICE_UNKNOWN to a watch", async () => {
    const health = createClient(Health, createGrpcTransport({ baseUrl: url }));

    const check = health.check({ service: "nobody" });
    const watch = health.watch({ service: "nobody" })[Symbol.asyncIterator]();

    await expect(check).rejects.toMatchObject({ code: Code.NotFound });
    expect((await watch.next()).value.status).toBe(Status.SERVICE_UNKNOWN);
    await watch.return?.();
  });
});

function bytes(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(value);
}

function text(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}
