import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ErrorDetailSchema, ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import { type OwnService, startOwnService } from "../support/own-service.ts";
import { runProgram, startProgram } from "../support/programs.ts";

const PROTOCOLS = ["grpc", "grpcweb", "connect"] as const;

const BUF = "node_modules/.bin/buf";
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
  const created = await curl(
    [...by("grpc"), ...asOperator(), ...data(site)],
    "SiteService/CreateSite",
  );
  expect(created).toMatchObject({ exitCode: 0, stderr: "" });
});

afterAll(() => service[Symbol.asyncDispose]());

function curl(words: readonly string[], method = "") {
  const url = method ? `${service.url}/signet.v1.${method}` : service.url;
  return runProgram(BUF, ["curl", ...words, url]);
}

/** In clear text nothing else would tell buf that it is HTTP/2, which reflection needs. */
function by(protocol: (typeof PROTOCOLS)[number]): readonly string[] {
  return ["--http2-prior-knowledge", "--protocol", protocol];
}

function asOperator(): readonly string[] {
  return ["-H", `authorization: Bearer ${service.operatorKey}`];
}

function data(message: object): readonly string[] {
  return ["-d", JSON.stringify(message)];
}

describe("buf curl without a schema", () => {
  test("lists the services and the methods", async () => {
    const services = await curl([...by("grpc"), "--list-services"]);
    const methods = await curl([...by("grpc"), "--list-methods"]);

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

  test.each(PROTOCOLS)("calls a unary RPC over %s", async (protocol) => {
    const words = [...by(protocol), ...data({ domain: "demo.example" })];

    const { exitCode, stdout } = await curl(words, "SiteService/GetSiteByDomain");

    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ site: { id: SITE_ID, name: "Demo" } });
  });

  test.each(PROTOCOLS)("reads a stream over %s", async (protocol) => {
    const words = [...by(protocol), ...asOperator()];
    const message = data({ site_id: SITE_ID, heartbeat_seconds: 1 });
    const url = `${service.url}/signet.v1.SyncService/WatchUsers`;

    const stream = startProgram(BUF, ["curl", ...words, ...message, url]);

    try {
      await stream.output.waitFor(/"hello".+"snapshotEnd".+"checkpoint"/s, "a heartbeat");
    } finally {
      await stream.stop();
    }
  });

  test("shows a refusal with its reason", async () => {
    const words = [
      ...by("grpc"),
      ...asOperator(),
      ...data({ name: "X", frontend_url: "nonsense" }),
    ];

    const { exitCode, stderr } = await curl(words, "SiteService/CreateSite");

    expect(exitCode).not.toBe(0);
    const { code, details } = JSON.parse(stderr);
    const detail = fromBinary(ErrorDetailSchema, Buffer.from(details[0].value, "base64"));
    expect(code).toBe("invalid_argument");
    expect(detail.reason).toBe(ErrorReason.INVALID_FIELD);
    expect(detail.metadata).toMatchObject({ field: "frontend_url" });
  });

  test("asks for the service's health", async () => {
    const words = ["curl", ...by("grpc"), `${service.url}/grpc.health.v1.Health/Check`];

    const { stdout } = await runProgram(BUF, words);

    expect(JSON.parse(stdout)).toEqual({ status: "SERVING" });
  });
});
