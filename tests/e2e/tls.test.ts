import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EdgeProcess, startEdgeProcess } from "../support/edge-process.ts";
import { EdgeService } from "../support/edge-service.ts";
import { closed, connectRaw } from "../support/raw-http2.ts";

const folder = mkdtempSync(join(tmpdir(), "signet-tls-"));
const certFile = join(folder, "cert.pem");
const keyFile = join(folder, "key.pem");

let server: EdgeProcess;
let ca: Buffer;

beforeAll(async () => {
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const files = ["-keyout", keyFile, "-out", certFile];
  execFileSync("openssl", ["req", "-x509", ...curve, ...names, ...files], { stdio: "ignore" });
  ca = readFileSync(certFile);
  const limits = { tlsHandshakeMsMax: 300, headersMsMax: 500, requestCheckMs: 100 };
  server = await startEdgeProcess({ tls: { certFile, keyFile }, limits });
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

describe("with a certificate, the same port serves", () => {
  test.each([
    ["Connect over HTTP/1.1", createConnectTransport, "1.1"],
    ["Connect over HTTP/2", createConnectTransport, "2"],
    ["gRPC", createGrpcTransport, "2"],
    ["gRPC-Web over HTTP/1.1", createGrpcWebTransport, "1.1"],
  ] as const)("%s", async (_name, create, httpVersion) => {
    const baseUrl = `https://localhost:${server.port}`;
    const client = createClient(EdgeService, create({ baseUrl, httpVersion, nodeOptions: { ca } }));

    const { value } = await client.echo({ value: new Uint8Array([1, 2, 3]) });

    expect([...value]).toEqual([1, 2, 3]);
  });

  test("grpc-js", async () => {
    const credentials = grpc.credentials.createSsl(ca);
    const client = new grpc.Client(`localhost:${server.port}`, credentials);
    const pass = (value: Buffer): Buffer => value;

    const answer = await new Promise<Buffer | undefined>((resolve, reject) => {
      const path = "/grpc.health.v1.Health/Check";
      client.makeUnaryRequest(path, pass, pass, Buffer.alloc(0), (error, value) =>
        error === null ? resolve(value) : reject(error),
      );
    });

    expect(answer).toEqual(Buffer.from([8, 1]));
    client.close();
  });

  test.each([
    [["h2", "http/1.1"], "h2"],
    [["http/1.1"], "http/1.1"],
    [[], false],
  ])("a client that offers %j, which agrees on %j", async (offered, agreed) => {
    const socket = connectTls({ port: server.port, host: "127.0.0.1", ca, ALPNProtocols: offered });

    await once(socket, "secureConnect");

    expect(socket.alpnProtocol).toBe(agreed);
    socket.destroy();
  });

  test("HTTP/1.1 to a client that offers nothing", async () => {
    const socket = connectTls({ port: server.port, host: "127.0.0.1", ca });
    await once(socket, "secureConnect");

    socket.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    const [answer] = await once(socket, "data");

    expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
  });
});

describe("with a certificate, the port cuts off", () => {
  test.each(["GET / HTTP/1.1\r\nhost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""])(
    "a client that speaks no TLS: %j",
    async (start) => {
      const socket = await connectRaw(server.port);

      socket.write(start);

      expect(await closed(socket, 2_000)).toBe(true);
    },
  );

  test("a client that offers no protocol of ours", async () => {
    const offered = { ALPNProtocols: ["spdy/1"] };
    const socket = connectTls({ port: server.port, host: "127.0.0.1", ca, ...offered });

    const [error] = await once(socket, "error");

    expect(String(error)).toContain("no application protocol");
  });

  test("a client that stops within its headers", async () => {
    const socket = connectTls({ port: server.port, host: "127.0.0.1", ca });
    socket.on("error", () => undefined);
    await once(socket, "secureConnect");

    socket.write("GET / HTTP/1.1\r\nhost: ");

    expect(await closed(socket, 2_000)).toBe(true);
    expect(server.exitCode).toBeUndefined();
  });
});
