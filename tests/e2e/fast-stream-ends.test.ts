import { once } from "node:events";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { WatchUsersRequestSchema } from "../../gen/signet/v1/sync_service_pb.ts";
import { envelope } from "../support/edge-calls.ts";
import { openRawStream, type RawRequest } from "../support/raw-stream-call.ts";
import { type Script, type ScriptedServer, startScripted } from "../support/scripted-streams.ts";
import { until } from "../support/waiting.ts";

describe("a stream that is served without the adapter", () => {
  test("leaves nothing behind when its client resets it, 1,000 times", async () => {
    await using server = await startScripted({ direct: true });
    const sessions = await openSessions(server, 10);

    for (const session of sessions) await openAndReset(session, 100);
    await until(() => server.open() === 0);
    for (const session of sessions) session.destroy();

    expect(server.adapterCalls()).toBe(0);
    expect(await callsAtDrain(server)).toBe(0);
    const codes = new Set(server.lines.flatMap(({ rpc, code }) => (rpc ? [code] : [])));
    expect([...codes]).toEqual(["canceled"]);
  });

  test("ends at once when its client's connection breaks", async () => {
    await using server = await startScripted({ direct: true });
    const [session] = await openSessions(server, 1);
    for (let n = 0; n < 50; n += 1) session && openRawStream(session, scripted({ end: "never" }));
    await until(() => server.open() === 50);

    session?.destroy();
    await until(() => server.open() === 0);

    expect(await callsAtDrain(server)).toBe(0);
  });

  test("waits for a client that does not read, and is released when its time is over", async () => {
    await using server = await startScripted({ direct: true, limits: { answerStallMsMax: 300 } });
    const [session] = await openSessions(server, 1);
    const endless = scripted({ frames: 100_000, bytes: 20_000 }, { "grpc-timeout": "500m" });
    const streams = Array.from({ length: 4 }, () => session && openRawStream(session, endless));
    for (const stream of streams) stream?.pause();

    await until(() => server.open() === 4);
    await until(() => server.open() === 0);
    await until(() => streams.every((stream) => stream?.closed));
    session?.destroy();

    // Each may fill its window, and what Node and the kernel buffer; 100,000 were to be had.
    expect(server.written()).toBeLessThan(4 * 100);
    expect(await callsAtDrain(server)).toBe(0);
  });

  test("that has failed does not wait long for a client that does not read", async () => {
    const limits = { failureStallMsMax: 300, answerStallMsMax: 60_000 };
    await using server = await startScripted({ direct: true, limits });
    const session = connect(`http://127.0.0.1:${server.port}`, {
      settings: { initialWindowSize: 100 },
    });
    session.on("error", () => undefined);
    const failed = openRawStream(
      session,
      scripted({ frames: 3, bytes: 200, end: "slow_consumer" }),
    );
    const done = openRawStream(session, scripted({ frames: 3, bytes: 200 }));

    failed.pause();
    await until(() => failed.closed);
    const isDoneLeft = done.closed;
    session.destroy();

    expect(isDoneLeft).toBe(false);
  });

  test("of a client that does not read keeps no other of its connection waiting", async () => {
    await using server = await startScripted({ direct: true });
    const [session] = await openSessions(server, 1);
    if (!session) throw new Error("there is no connection");
    openRawStream(session, scripted({ frames: 100_000, bytes: 20_000 })).pause();
    await until(() => server.written() > 0);

    const other = openRawStream(session, scripted({}));
    const [trailers] = await once(other.resume(), "trailers");

    expect(trailers).toMatchObject({ "grpc-status": "0" });
    session.destroy();
    await until(() => server.open() === 0);
  });
});

function scripted(script: Script, headers: Readonly<Record<string, string>> = {}): RawRequest {
  const cursor = JSON.stringify(script);
  const message = create(WatchUsersRequestSchema, { cursor });
  return {
    headers: { "content-type": "application/grpc", authorization: "Bearer good", ...headers },
    body: [envelope(toBinary(WatchUsersRequestSchema, message))],
  };
}

async function openSessions(
  { port }: ScriptedServer,
  count: number,
): Promise<ClientHttp2Session[]> {
  const sessions = Array.from({ length: count }, () => connect(`http://127.0.0.1:${port}`));
  for (const session of sessions) session.on("error", () => undefined);
  await Promise.all(sessions.map((session) => once(session, "connect")));
  return sessions;
}

/** Resets a third of the streams before, and a third after their first bytes; leaves the rest. */
async function openAndReset(session: ClientHttp2Session, count: number): Promise<void> {
  const closed = Array.from({ length: count }, async (_, n) => {
    const stream = openRawStream(session, scripted({ frames: 3, bytes: 100, end: "never" }));
    const gone = once(stream, "close");
    if (n % 3 > 0) await once(stream, "response");
    if (n % 3 > 1) await once(stream, "data");
    stream.close(constants.NGHTTP2_CANCEL);
    await gone;
  });
  await Promise.all(closed);
}

/** Drains the server; returns how many calls it still knew of then. */
async function callsAtDrain(server: ScriptedServer): Promise<unknown> {
  await server.drain(0);
  return server.lines.find(({ msg }) => msg === "draining")?.calls;
}
