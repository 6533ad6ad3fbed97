import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, describe, expect, test } from "vitest";
import { WatchUsersRequestSchema } from "../../gen/signet/v1/sync_service_pb.ts";
import type { EdgeLimits } from "../../src/server/edge-limits.ts";
import { envelope } from "../support/edge-calls.ts";
import { callRawStream, type RawOutcome, type RawRequest } from "../support/raw-stream-call.ts";
import { type Script, startScripted } from "../support/scripted-streams.ts";

const limits: Partial<EdgeLimits> = { callTimeoutMsMax: 1_500, lingerMsMax: 200 };
const [fast, stock] = await Promise.all([
  startScripted({ direct: true, limits }),
  startScripted({ direct: false, limits }),
]);
afterAll(() => Promise.all([fast[Symbol.asyncDispose](), stock[Symbol.asyncDispose]()]));

const MESSAGE_BYTES_MAX = 64 * 1024;
const PROTOCOLS = [
  ["gRPC", "application/grpc+proto", "grpc-timeout", "grpc-encoding"],
  ["Connect", "application/connect+proto", "connect-timeout-ms", "connect-content-encoding"],
] as const;

describe.each(PROTOCOLS)("%s below the adapter", (_name, contentType, timeout, encoding) => {
  const plain = { "content-type": contentType, authorization: "Bearer good" };
  const request = (more: Partial<RawRequest> = {}): RawRequest => ({
    headers: plain,
    body: [envelope(messageOf({ frames: 1 }))],
    ...more,
  });
  const script = (wanted: Script) => request({ body: [envelope(messageOf(wanted))] });
  const withHeaders = (headers: RawRequest["headers"], wanted: Script = { frames: 1 }) =>
    request({ headers: { ...plain, ...headers }, body: [envelope(messageOf(wanted))] });
  const withBody = (...body: Uint8Array[]) => request({ body });

  test.each<[string, RawRequest]>([
    ["no frame", script({})],
    ["three frames", script({ frames: 3 })],
    ["frames that fill the window", script({ frames: 40, bytes: 20_000 })],
    ["a refusal before the first frame", script({ end: "cursor_expired" })],
    ["a refusal after two frames", script({ frames: 2, end: "slow_consumer" })],
    ["a refusal with text that needs escapes", script({ frames: 1, end: "bad_field" })],
    ["an abort", script({ frames: 1, end: "abort_error" })],
    ["a bug before the first frame", script({ end: "bug" })],
    ["a bug after a frame", script({ frames: 1, end: "bug" })],
    ["a request id", withHeaders({ "x-request-id": "abc-123" })],
    ["a request id and a refusal", withHeaders({ "x-request-id": "a" }, { end: "epoch_changed" })],
    ["two request ids", withHeaders({ "x-request-id": ["a", "b"] })],
    ["an encoding of identity", withHeaders({ [encoding]: "identity" })],
    ["a body in single bytes", withBody(...singleBytes(envelope(messageOf({ frames: 1 }))))],
    ["a body that ends late", request({ end: "late", body: [Buffer.alloc(5, 255)] })],
    ["a body that never ends", request({ end: "never" })],
    ["half a body that never ends", request({ end: "never", body: [Buffer.alloc(3)] })],
    ["no body", request({ body: [] })],
    ["an empty body", request({ body: [Buffer.alloc(0)] })],
    ["half an envelope", withBody(Buffer.alloc(3))],
    ["an empty message", withBody(envelope())],
    ["half a message", withBody(envelope(messageOf({ frames: 1 })).subarray(0, -3))],
    ["a byte too many", withBody(envelope(messageOf({ frames: 1 })), Buffer.alloc(1))],
    ["two messages", withBody(envelope(messageOf({})), envelope(messageOf({})))],
    ["two large messages", withBody(envelope(padded(40_000)), envelope(padded(40_000)))],
    ["the largest message", withBody(envelope(padded(MESSAGE_BYTES_MAX)))],
    ["too large a message", withBody(envelope(padded(MESSAGE_BYTES_MAX + 1)))],
    ["a huge length", withBody(Buffer.from([0, 255, 255, 255, 255, 1, 2, 3]))],
    ["no protobuf", withBody(envelope(Buffer.from("no protobuf at all")))],
    ["a compressed message unannounced", withBody(envelope(gzipSync(messageOf({})), 1))],
    ["an end flag", withBody(envelope(messageOf({}), 2), envelope(messageOf({ frames: 1 })))],
    ["an end flag alone", withBody(envelope(Buffer.from("{}"), 2))],
    ["an unknown flag", withBody(envelope(messageOf({ frames: 1 }), 0x80))],
    ["no credential", request({ headers: { "content-type": contentType } })],
    ["a bad credential", withHeaders({ authorization: "Bearer bad" })],
    [
      "a bad credential with a bad body",
      {
        headers: { ...plain, authorization: "Bearer bad" },
        body: [Buffer.alloc(3)],
      },
    ],
    ["a credential without the scope", withHeaders({ authorization: "Bearer narrow" })],
    ["a database that is away", withHeaders({ authorization: "Bearer away" })],
    ["a deadline that has passed", withHeaders({ [timeout]: "0m" })],
    ["a deadline of 0", withHeaders({ [timeout]: "0" })],
    ["a deadline that is none", withHeaders({ [timeout]: "soon" })],
    ["a deadline too long for a header", withHeaders({ [timeout]: "99999999999" })],
    ["a deadline of centuries", withHeaders({ [timeout]: "99999999H" })],
    ["a deadline of 115 days", withHeaders({ [timeout]: "9999999999" })],
    [
      "a bad deadline and no credential",
      {
        headers: { "content-type": contentType, [timeout]: "soon" },
        body: [envelope(messageOf({}))],
      },
    ],
  ])("answers %s as the adapter does", async (_what, sent) => {
    const [mine, theirs, served] = await askBoth(sent);

    expect(served).toBe(true);
    expect(mine).toEqual(theirs);
  });

  test("ends a stream at its deadline as the adapter does", async () => {
    const ms = contentType.includes("grpc") ? "80m" : "80";
    const [mine, theirs] = await askBoth(
      withHeaders({ [timeout]: ms }, { frames: 1, end: "never" }),
    );

    expect(mine).toEqual(theirs);
    expect(mine).toMatch(/"grpc-status": "4"|deadline_exceeded/);
  });

  test("writes the line of the log that the adapter's calls have", async () => {
    const failing = withHeaders({ "x-request-id": `log-${timeout}` }, { end: "cursor_ahead" });
    await askBoth(failing);

    const line = (lines: readonly object[]) => {
      const found = lines.find((one) => "requestId" in one && one.requestId === `log-${timeout}`);
      return { ...found, ms: 0, time: 0 };
    };
    expect(line(fast.lines)).toMatchObject({ code: "failed_precondition", caller: "site_key" });
    expect(line(fast.lines)).toEqual(line(stock.lines));
  });

  test("does not compress what streams share, whatever the client would take", async () => {
    const accepts = { "grpc-accept-encoding": "gzip", "connect-accept-encoding": "gzip" };
    const sent = { frames: 1, bytes: 5_000 };

    const asked = await callRawStream(fast.port, withHeaders(accepts, sent));

    expect(asked.headers[encoding]).toBeUndefined();
    expect(asked.body).toBe((await callRawStream(fast.port, script(sent))).body);
  });
});

describe("the adapter", () => {
  const message = messageOf({ frames: 1 });
  const good = { "content-type": "application/grpc", authorization: "Bearer good" };

  test.each<[string, RawRequest["headers"], Uint8Array]>([
    ["gzip of gRPC", { ...good, "grpc-encoding": "gzip" }, envelope(gzipSync(message), 1)],
    ["an unknown compression", { ...good, "grpc-encoding": "br" }, envelope(message)],
    ["JSON of gRPC", { ...good, "content-type": "application/grpc+json" }, jsonOf({ frames: 1 })],
    ["JSON of Connect", { ...good, "content-type": "application/connect+json" }, jsonOf({})],
    ["gRPC-Web", { ...good, "content-type": "application/grpc-web+proto" }, envelope(message)],
    ["a unary type", { ...good, "content-type": "application/proto" }, message],
    ["a misspelt type", { ...good, "content-type": "application/connectproto" }, message],
    ["an unknown type", { ...good, "content-type": "text/plain" }, message],
    ["no type", { authorization: "Bearer good" }, envelope(message)],
    ["another method", { ...good, ":method": "PUT" }, envelope(message)],
    ["a query", { ...good, ":path": "/signet.v1.SyncService/WatchUsers?a=b" }, envelope(message)],
    ["another path", { ...good, ":path": "/signet.v1.SyncService/Nothing" }, envelope(message)],
    ["a malformed authority", { ...good, ":authority": "a:b:c" }, envelope(message)],
    ["an impossible port", { ...good, ":authority": "host:99999" }, envelope(message)],
    ["an expectation", { ...good, expect: "100-continue" }, envelope(message)],
    ["large headers", { ...good, "x-large": "x".repeat(17_000) }, envelope(message)],
  ])("still answers %s", async (_what, headers, body) => {
    const [mine, theirs, served] = await askBoth({ headers, body: [body] });

    expect(served).toBe(false);
    expect(mine).toEqual(theirs);
  });
});

describe.each(PROTOCOLS)("%s, when the server takes no calls", (_name, contentType) => {
  const sent: RawRequest = {
    headers: { "content-type": contentType, authorization: "Bearer good" },
    body: [envelope(messageOf({ frames: 1, end: "never" }))],
  };

  test("is refused as by the adapter, also where the body never ends", async () => {
    const none = { callsMax: 0, lingerMsMax: 100 };
    await using full = await startScripted({ direct: true, limits: none });
    await using stockFull = await startScripted({ direct: false, limits: none });

    for (const end of [{}, { end: "late" }, { end: "never" }] as const) {
      const mine = await callRawStream(full.port, { ...sent, ...end });

      expect(strip(mine)).toEqual(strip(await callRawStream(stockFull.port, { ...sent, ...end })));
      expect(JSON.stringify(mine)).toMatch(/"grpc-status":"8"|resource_exhausted/);
    }
    expect(full.lines).toEqual([]);
  });

  test("ends its open streams with UNAVAILABLE as the adapter does", async () => {
    const outcomes = [];
    for (const direct of [true, false]) {
      await using server = await startScripted({ direct });
      const outcome = callRawStream(server.port, sent);
      await expect.poll(() => server.open()).toBe(1);
      await server.drain(5_000);
      outcomes.push(await outcome);
    }

    expect(strip(outcomes[0])).toEqual(strip(outcomes[1]));
    expect(JSON.stringify(outcomes[0])).toMatch(/"grpc-status":"14"|unavailable/);
  });
});

/** Makes the same call to both servers; tells also whether the first served it by itself. */
async function askBoth(sent: RawRequest) {
  const before = fast.lines.length;
  const adapter = fast.adapterCalls();
  const [mine, theirs] = await Promise.all([
    callRawStream(fast.port, sent),
    callRawStream(stock.port, sent),
  ]);
  const served = fast.adapterCalls() === adapter && fast.lines.length > before;
  return [strip(mine), strip(theirs), served] as const;
}

/** Takes away what is made anew for each call, also from the details of an error. */
function strip(outcome: RawOutcome | undefined): string {
  const text = JSON.stringify(outcome, undefined, 1);
  return text
    .replace(BASE64, (found) => Buffer.from(found, "base64").toString("latin1"))
    .replace(UUID, "an id");
}

const BASE64 = /[A-Za-z0-9+/]{40,}/g;
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

function messageOf(script: Script): Uint8Array {
  const cursor = JSON.stringify(script);
  return toBinary(WatchUsersRequestSchema, create(WatchUsersRequestSchema, { cursor }));
}

function jsonOf(script: Script): Uint8Array {
  return envelope(Buffer.from(JSON.stringify({ cursor: JSON.stringify(script) })));
}

/** A message of exactly so many bytes. */
function padded(bytes: number): Uint8Array {
  const clientId = "x".repeat(bytes - messageOf({ frames: 1 }).length - 4);
  const cursor = JSON.stringify({ frames: 1 });
  return toBinary(WatchUsersRequestSchema, create(WatchUsersRequestSchema, { cursor, clientId }));
}

function singleBytes(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_byte, n) => bytes.subarray(n, n + 1));
}
