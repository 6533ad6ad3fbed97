import { gunzipSync, gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, describe, expect, test } from "vitest";
import { ValidateTokenRequestSchema } from "../../gen/signet/v1/auth_service_pb.ts";
import type { EdgeLimits } from "../../src/server/edge-limits.ts";
import { envelope } from "../support/edge-calls.ts";
import { callRawStream, type RawOutcome, type RawRequest } from "../support/raw-stream-call.ts";
import { startScriptedUnary, type UnaryScript } from "../support/scripted-unary.ts";

const limits: Partial<EdgeLimits> = { callTimeoutMsMax: 1_500, lingerMsMax: 200 };
const [fast, stock] = await Promise.all([
  startScriptedUnary({ direct: true, limits }),
  startScriptedUnary({ direct: false, limits }),
]);
afterAll(() => Promise.all([fast[Symbol.asyncDispose](), stock[Symbol.asyncDispose]()]));

const PATH = "/signet.v1.AuthService/ValidateToken";
const MESSAGE_BYTES_MAX = 64 * 1024;
const PROTOCOLS = [
  {
    name: "gRPC",
    contentType: "application/grpc+proto",
    timeout: "grpc-timeout",
    encoding: "grpc-encoding",
    accept: "grpc-accept-encoding",
    framed: (message: Uint8Array) => envelope(message),
  },
  {
    name: "Connect",
    contentType: "application/proto",
    timeout: "connect-timeout-ms",
    encoding: "content-encoding",
    accept: "accept-encoding",
    framed: (message: Uint8Array) => Buffer.from(message),
  },
] as const;

describe.each(PROTOCOLS)("$name below the adapter", (protocol) => {
  const { contentType, timeout, encoding, accept, framed } = protocol;
  const plain = { ":path": PATH, "content-type": contentType, authorization: "Bearer good" };
  const withBody = (...body: Uint8Array[]): RawRequest => ({ headers: plain, body });
  const script = (wanted: UnaryScript) => withBody(framed(messageOf(wanted)));
  const withHeaders = (headers: RawRequest["headers"], wanted: UnaryScript = {}): RawRequest => ({
    ...script(wanted),
    headers: { ...plain, ...headers },
  });
  const anonymous = { ":path": PATH, "content-type": contentType };

  test.each<[string, RawRequest]>([
    ["a call", script({})],
    ["a call without a version of Connect", withHeaders({ "connect-protocol-version": "2" })],
    [
      "what the handler is told",
      withHeaders({ "x-many": ["a", "b"], "a-bin": "AAE" }, { echo: true }),
    ],
    ["a large answer", script({ text: 200_000 })],
    ["headers of the handler", script({ header: { "x-one": "1", "a-bin": "AAEC" } })],
    ["trailers of the handler", script({ trailer: { "x-two": "2", "b-bin": "AAEC" } })],
    ["headers and a refusal", script({ header: { "x-one": "1" }, end: "login_failed" })],
    ["a refusal", script({ end: "rate_limited" })],
    ["a refusal with text that needs escapes", script({ end: "bad_field" })],
    ["a refusal with a large detail", script({ end: "large_detail" })],
    ["an abort", script({ end: "abort_error" })],
    ["a bug", script({ end: "bug" })],
    ["a request id", withHeaders({ "x-request-id": "abc-123" })],
    ["a request id and a refusal", withHeaders({ "x-request-id": "a" }, { end: "epoch_changed" })],
    ["two request ids", withHeaders({ "x-request-id": ["a", "b"] })],
    ["a malformed request id", withHeaders({ "x-request-id": "a b c" })],
    ["an encoding of identity", withHeaders({ [encoding]: "identity" })],
    ["a client that takes gzip, of a small answer", withHeaders({ [accept]: "gzip" })],
    [
      "a client that takes gzip, of a large answer",
      withHeaders({ [accept]: "br, gzip" }, { text: 9_000 }),
    ],
    [
      "a client that takes gzip, of a refusal",
      withHeaders({ [accept]: "gzip" }, { end: "bad_field" }),
    ],
    ["… of a large refusal", withHeaders({ [accept]: "gzip" }, { end: "large_detail" })],
    ["a client that takes nothing known", withHeaders({ [accept]: "br" }, { text: 9_000 })],
    ["a body in single bytes", withBody(...singleBytes(framed(messageOf({}))))],
    ["a body that ends late", { ...withBody(Buffer.alloc(5, 255)), end: "late" }],
    ["a body that never ends", { ...script({}), end: "never" }],
    ["half a body that never ends", { ...withBody(Buffer.alloc(3)), end: "never" }],
    ["a body too large that never ends", { ...withBody(Buffer.alloc(80_000, 1)), end: "never" }],
    ["no body", withBody()],
    ["an empty body", withBody(Buffer.alloc(0))],
    ["half an envelope", withBody(Buffer.alloc(3))],
    ["an empty message", withBody(framed(Buffer.alloc(0)))],
    ["half a message", withBody(framed(messageOf({ text: 1 })).subarray(0, -3))],
    ["a byte too many", withBody(framed(messageOf({ text: 1 })), Buffer.alloc(1))],
    ["two messages", withBody(framed(messageOf({})), framed(messageOf({})))],
    ["two large messages", withBody(framed(padded(40_000)), framed(padded(40_000)))],
    ["the largest message", withBody(framed(padded(MESSAGE_BYTES_MAX)))],
    ["too large a message", withBody(framed(padded(MESSAGE_BYTES_MAX + 1)))],
    ["a message of a megabyte", withBody(framed(padded(1_000_000)))],
    ["a huge length", withBody(Buffer.from([0, 255, 255, 255, 255, 1, 2, 3]))],
    ["no protobuf", withBody(framed(Buffer.from("no protobuf at all")))],
    ["no protobuf and no credential", { headers: anonymous, body: [framed(Buffer.from("no"))] }],
    ["a compressed message unannounced", withBody(envelope(gzipSync(messageOf({})), 1))],
    ["an end flag", withBody(envelope(messageOf({}), 2))],
    ["an unknown flag", withBody(envelope(messageOf({}), 0x80))],
    ["a length that is right", withLength(framed(messageOf({})), 0)],
    ["no credential", { ...script({}), headers: anonymous }],
    ["a bad credential", withHeaders({ authorization: "Bearer bad" })],
    ["two credentials", withHeaders({ authorization: "Bearer good, Bearer bad" })],
    ["a credential without the scope", withHeaders({ authorization: "Bearer narrow" })],
    ["a database that is away", withHeaders({ authorization: "Bearer away" })],
    ["a deadline that has passed", withHeaders({ [timeout]: "0m" })],
    ["a deadline of 0", withHeaders({ [timeout]: "0" })],
    [
      "a deadline of 0 and no credential",
      { ...script({}), headers: { ...anonymous, [timeout]: "0" } },
    ],
    ["a deadline that is none", withHeaders({ [timeout]: "soon" })],
    ["two deadlines", withHeaders({ [timeout]: ["100", "200"] })],
    ["a deadline too long for a header", withHeaders({ [timeout]: "99999999999" })],
    ["a deadline of centuries", withHeaders({ [timeout]: "99999999H" })],
    ["a deadline of 115 days", withHeaders({ [timeout]: "9999999999" })],
  ])("answers %s as the adapter does", async (_what, sent) => {
    const [mine, theirs, served] = await askBoth(sent);

    expect(served).toBe(true);
    expect(mine).toEqual(theirs);
  });

  function withLength(body: Uint8Array, more: number): RawRequest {
    const headers = { ...plain, "content-length": `${body.length + more}` };
    return { headers, body: [body] };
  }

  test("ends a call at its deadline as the adapter does, and tells the handler", async () => {
    const ms = contentType.includes("grpc") ? "80m" : "80";
    const [mine, theirs] = await askBoth(withHeaders({ [timeout]: ms }, { end: "never" }));

    expect(mine).toEqual(theirs);
    expect(mine).toMatch(/"grpc-status": "4"|deadline_exceeded/);
    await expect.poll(() => fast.open()).toBe(0);
    expect(fast.aborts.at(-1)).toMatch("the operation timed out");
  });

  test("tells the handler that its client has left", async () => {
    const aborted = fast.aborts.length;
    const left = callRawStream(fast.port, { ...script({ end: "never" }), reset: true });
    await left.catch(() => undefined);

    await expect.poll(() => fast.aborts.length).toBe(aborted + 1);
    expect(fast.aborts.at(-1)).toMatch("the client has left");
    await expect.poll(() => fast.open()).toBe(0);
  });

  test("writes the line of the log that the adapter's calls have", async () => {
    for (const [n, wanted] of [{}, { end: "login_failed" } as const].entries()) {
      const id = `log-${timeout}-${n}`;
      await askBoth(withHeaders({ "x-request-id": id }, wanted));

      const line = (lines: typeof fast.lines) => {
        const found = lines.find(({ requestId }) => requestId === id);
        return { ...found, ms: 0, time: 0 };
      };
      expect(line(fast.lines)).toMatchObject({ msg: "call", caller: "site_key" });
      expect(line(fast.lines)).toEqual(line(stock.lines));
    }
  });

  test("compresses for who takes it", async () => {
    const sent = withHeaders({ [accept]: "gzip" }, { text: 9_000 });

    const { body, headers } = await callRawStream(fast.port, sent);

    const bytes = Buffer.from(body, "latin1");
    const message = contentType.includes("grpc") ? bytes.subarray(5) : bytes;
    expect(headers[encoding]).toBe("gzip");
    expect(gunzipSync(message).length).toBeGreaterThan(18_000);
  });

  test("is refused as by the adapter when there are too many calls", async () => {
    const none = { callsMax: 0, lingerMsMax: 100 };
    await using full = await startScriptedUnary({ direct: true, limits: none });
    await using stockFull = await startScriptedUnary({ direct: false, limits: none });

    for (const end of [{}, { end: "late" }, { end: "never" }] as const) {
      const mine = await callRawStream(full.port, { ...script({}), ...end });

      const theirs = await callRawStream(stockFull.port, { ...script({}), ...end });
      expect(strip(mine)).toEqual(strip(theirs));
      expect(JSON.stringify(mine)).toMatch(/"grpc-status":"8"|resource_exhausted/);
    }
    expect(full.lines).toEqual([]);
  });

  test("is ended with UNAVAILABLE as by the adapter when a drain lasts too long", async () => {
    const outcomes = [];
    for (const direct of [true, false]) {
      await using server = await startScriptedUnary({ direct });
      const outcome = callRawStream(server.port, script({ end: "never" }));
      await expect.poll(() => server.open()).toBe(1);
      await server.drain(1_000);
      outcomes.push(strip(await outcome));
    }

    expect(outcomes[0]).toEqual(outcomes[1]);
    expect(outcomes[0]).toMatch(/"grpc-status": "14"|unavailable/);
  });
});

describe("the adapter", () => {
  const message = messageOf({ text: 3 });
  const grpc = { ":path": PATH, "content-type": "application/grpc", authorization: "Bearer good" };
  const connect = { ...grpc, "content-type": "application/proto" };
  const json = Buffer.from(JSON.stringify({ token: "{}" }));

  test.each<[string, RawRequest["headers"], Uint8Array]>([
    ["gzip of gRPC", { ...grpc, "grpc-encoding": "gzip" }, envelope(gzipSync(message), 1)],
    ["gzip of Connect", { ...connect, "content-encoding": "gzip" }, gzipSync(message)],
    ["an unknown compression", { ...grpc, "grpc-encoding": "br" }, envelope(message)],
    ["an unknown compression of Connect", { ...connect, "content-encoding": "br" }, message],
    ["JSON of gRPC", { ...grpc, "content-type": "application/grpc+json" }, envelope(json)],
    ["JSON of Connect", { ...grpc, "content-type": "application/json" }, json],
    ["gRPC-Web", { ...grpc, "content-type": "application/grpc-web+proto" }, envelope(message)],
    ["a type of streams", { ...grpc, "content-type": "application/connect+proto" }, message],
    ["a misspelt type", { ...grpc, "content-type": "application/prot" }, message],
    ["a type with parameters", { ...grpc, "content-type": "application/proto; a=b" }, message],
    ["an unknown type", { ...grpc, "content-type": "text/plain" }, message],
    ["no type", { ":path": PATH, authorization: "Bearer good" }, message],
    ["another method", { ...connect, ":method": "PUT" }, message],
    ["a query", { ...connect, ":path": `${PATH}?a=b` }, message],
    ["an unknown RPC", { ...grpc, ":path": "/signet.v1.AuthService/Nothing" }, envelope(message)],
    [
      "an RPC without a handler",
      { ...grpc, ":path": "/signet.v1.AuthService/Login" },
      envelope(message),
    ],
    ["an unknown service", { ...grpc, ":path": "/signet.v1.Nothing/Nothing" }, envelope(message)],
    ["a page of another origin", { ...connect, origin: "https://app.example" }, message],
    ["a malformed authority", { ...grpc, ":authority": "a:b:c" }, envelope(message)],
    ["an impossible port", { ...grpc, ":authority": "host:99999" }, envelope(message)],
    ["an expectation", { ...grpc, expect: "100-continue" }, envelope(message)],
    ["large headers", { ...grpc, "x-large": "x".repeat(17_000) }, envelope(message)],
  ])("still answers %s", async (_what, headers, body) => {
    const before = fast.adapterCalls();
    const [mine, theirs, served] = await askBoth({ headers, body: [body] });

    expect(served && fast.adapterCalls() > before).toBe(false);
    expect(mine).toEqual(theirs);
  });
});

/** Makes the same call to both servers; tells also whether the first left it to the adapter. */
async function askBoth(sent: RawRequest) {
  const adapter = fast.adapterCalls();
  const [mine, theirs] = await Promise.all([
    callRawStream(fast.port, sent),
    callRawStream(stock.port, sent),
  ]);
  return [strip(mine), strip(theirs), fast.adapterCalls() === adapter] as const;
}

/**
 * Takes away what is made anew for each call, also from the details of an error, and the order of
 * headers, which has no meaning (RFC 9110 §5.3).
 */
function strip({ headers, trailers, ...rest }: RawOutcome): string {
  const text = JSON.stringify(
    { headers: sorted(headers), trailers: sorted(trailers), ...rest },
    undefined,
    1,
  );
  return text
    .replace(BASE64, (found) => Buffer.from(found, "base64").toString("latin1"))
    .replace(UUID, "an id");
}

function sorted(fields: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const BASE64 = /[A-Za-z0-9+/]{40,}/g;
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

function messageOf(script: UnaryScript): Uint8Array {
  const token = JSON.stringify(script);
  return toBinary(ValidateTokenRequestSchema, create(ValidateTokenRequestSchema, { token }));
}

/** A message of exactly so many bytes. */
function padded(bytes: number): Uint8Array {
  const lengthBytes = bytes > 16_384 + 20 ? 4 : 3;
  const audience = "x".repeat(bytes - messageOf({}).length - lengthBytes);
  const request = create(ValidateTokenRequestSchema, { token: "{}", audience });
  return toBinary(ValidateTokenRequestSchema, request);
}

function singleBytes(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_byte, n) => bytes.subarray(n, n + 1));
}
