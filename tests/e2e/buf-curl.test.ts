import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTranscript } from "../../src/demo/transcript.ts";
import { type OwnService, startOwnService } from "../support/own-service.ts";
import { runProgram } from "../support/programs.ts";

/** How each protocol is spoken: with TLS out of the way, gRPC needs to know that it is HTTP/2. */
const PROTOCOLS = [
  ["grpc", ["--protocol", "grpc", "--http2-prior-knowledge"]],
  ["grpcweb", ["--protocol", "grpcweb"]],
  ["connect", ["--protocol", "connect"]],
] as const;
const [[, GRPC]] = PROTOCOLS;

const SITE_ID = "01890a5d-ac96-774b-bcce-b302099a8057";

let service: OwnService;

beforeAll(async () => {
  service = await startOwnService();
  const site = {
    id: SITE_ID,
    name: "Demo",
    domains: ["demo.example"],
    frontend_url: "http://localhost",
  };
  const created = await curl([...GRPC, ...asOperator(), ...data(site)], "SiteService/CreateSite");
  expect(created).toMatchObject({ exitCode: 0, stderr: "" });
});

afterAll(() => service[Symbol.asyncDispose]());

function curl(words: readonly string[], method = "") {
  const url = method ? `${service.url}/signet.v1.${method}` : service.url;
  return runProgram("node_modules/.bin/buf", ["curl", ...words, url]);
}

function asOperator(): readonly string[] {
  return ["-H", `authorization: Bearer ${service.operatorKey}`];
}

function data(message: object): readonly string[] {
  return ["-d", JSON.stringify(message)];
}

// buf asks for the schema by reflection, which runs on HTTP/2 alone for lack of full duplex below.
describe("buf curl without a schema", () => {
  test("lists the services and the methods", async () => {
    const services = await curl([...GRPC, "--list-services"]);
    const methods = await curl([...GRPC, "--list-methods"]);

    expect(services.stdout.split("\n")).toEqual(
      expect.arrayContaining([
        "grpc.health.v1.Health",
        "signet.v1.AuthService",
        "signet.v1.SiteService",
        "signet.v1.SyncService",
        "signet.v1.UserService",
      ]),
    );
    expect(methods.stdout).toContain("signet.v1.SyncService/WatchUsers\n");
  });

  test.each(PROTOCOLS)("calls a unary RPC over %s", async (_, protocol) => {
    const words = [...protocol, "--http2-prior-knowledge", ...data({ domain: "demo.example" })];

    const { exitCode, stdout } = await curl(words, "SiteService/GetSiteByDomain");

    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ site: { id: SITE_ID, name: "Demo" } });
  });

  test.each(PROTOCOLS)("reads a stream over %s", async (_, protocol) => {
    const words = [...protocol, "--http2-prior-knowledge", ...asOperator()];
    const url = `${service.url}/signet.v1.SyncService/WatchUsers`;
    const child = spawn("node_modules/.bin/buf", [
      ...["curl", ...words, ...data({ site_id: SITE_ID, heartbeat_seconds: 1 }), url],
    ]);
    const ended = new Promise((resolve) => child.once("close", resolve));
    const output = createTranscript([child.stdout, child.stderr]);

    await output.waitFor(/"hello"[^]+"snapshotEnd"[^]+"checkpoint"/, "the first heartbeat");

    child.kill("SIGTERM");
    await ended;
  });

  test("shows a refusal with its reason", async () => {
    const words = [...GRPC, ...asOperator(), ...data({ name: "X", frontend_url: "nonsense" })];

    const { exitCode, stderr } = await curl(words, "SiteService/CreateSite");

    expect(exitCode).not.toBe(0);
    expect(JSON.parse(stderr)).toMatchObject({
      code: "invalid_argument",
      details: [{ debug: { reason: "ERROR_REASON_INVALID_FIELD" } }],
    });
  });

  test("asks for the service's health", async () => {
    const words = ["curl", ...GRPC, `${service.url}/grpc.health.v1.Health/Check`];

    const { stdout } = await runProgram("node_modules/.bin/buf", words);

    expect(JSON.parse(stdout)).toEqual({ status: "SERVING" });
  });
});
