import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { clientsOf, refusal, signUp, uniqueEmail } from "../support/builders.ts";
import { openSiteOnService } from "../support/site-on-service.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service, site } = opened;
const { backend } = site;

/** Percent-encoded, six times as long: more than HTTP/2 sends in trailers. */
const LONG = "é".repeat(15_000);
const TWICE = `{"${LONG}":1,"${LONG}":2}`;

describe("what a client has sent, repeated in an error,", () => {
  test.each([
    ["a unary call", "/grpc.health.v1.Health/Check", TWICE],
    ["a public call", "/signet.v1.AuthService/Register", TWICE],
    ["an unknown field", "/signet.v1.AuthService/Register", `{"${LONG}":1}`],
    ["a stream", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", TWICE],
  ])("does not end the connection that others share: %s", async (_name, path, body) => {
    const session = connect(service.url);
    let isEnding = false;
    session.on("goaway", () => {
      isEnding = true;
    });

    const status = await statusOf(session, path, "json", body);
    const next = await statusOf(session, "/grpc.health.v1.Health/Check", "proto", "");
    session.close();

    expect(Number(status)).toBeGreaterThan(0);
    expect(next).toBe("0");
    expect(isEnding).toBe(false);
  });

  test("is told in short where it is the name of an attribute", async () => {
    const users = clientsOf(createGrpcTransport({ baseUrl: service.url }), site.key).users;

    const refused = await refusal(
      users.createUser({ email: uniqueEmail(), metadata: { [LONG]: "a\0b" } }),
    );

    expect(refused).toMatchObject({ code: "InvalidArgument", reason: "INVALID_FIELD" });
    expect(refused.metadata.field?.length).toBeLessThan(100);
  });
});

describe("the name of a browser that a backend passes on", () => {
  test.each([
    ["NUL", "a\0b", "a\ufffdb"],
    ["a control character", "\u001b[31mred", "\ufffd[31mred"],
    ["half a character at its end", `${"x".repeat(511)}😀`, `${"x".repeat(511)}\ufffd`],
  ])("keeps nobody from signing in: %s", async (_name, userAgent, kept) => {
    const { userId, email, password } = await signUp(backend);
    const identifier = { case: "email", value: email } as const;

    await backend.auth.login({ identifier, password, client: { userAgent } });

    const { sessions } = await backend.auth.listSessions({ userId });
    expect(sessions[0]?.client?.userAgent).toBe(kept);
  });
});

/** Makes a call of gRPC and returns its status; undefined: it has none. */
async function statusOf(
  session: ClientHttp2Session,
  path: string,
  format: "json" | "proto",
  body: string,
): Promise<string | undefined> {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": `application/grpc+${format}`,
    te: "trailers",
  });
  let status: string | undefined;
  const read = (headers: { readonly "grpc-status"?: string | string[] | undefined }) => {
    status ??= headers["grpc-status"]?.toString();
  };
  stream.on("response", read).on("trailers", read);
  stream.on("error", () => undefined).resume();
  const bytes = Buffer.from(body);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  stream.end(Buffer.concat([head, bytes]));
  await once(stream, "close");
  return status;
}
