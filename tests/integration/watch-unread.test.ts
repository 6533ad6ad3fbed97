import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import {
  WatchStart,
  WatchUsersRequestSchema,
  type WatchUsersResponse,
  WatchUsersResponseSchema,
} from "../../gen/signet/v1/sync_service_pb.ts";
import type { SiteId } from "../../src/model/id.ts";
import { grpcClients } from "../support/builders.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { runAsAdmin } from "../support/database.ts";
import { type InnerService, openInnerService } from "../support/inner-service.ts";
import { openRawStream } from "../support/raw-stream-call.ts";
import { until } from "../support/waiting.ts";
import { openWatch } from "../support/watch.ts";

type Request = MessageInitShape<typeof WatchUsersRequestSchema>;

const ENVELOPE_BYTES = 5;
const MEGABYTE = 1024 * 1024;

describe("clients that do not read", () => {
  test("cost no memory for what they miss, hold nobody up, and are cut with a cursor", async () => {
    await using own = await openInnerService({ unreadMsMax: 4_000, sweepMs: 50 });
    const generator = createChangeGenerator(own.database.db, own.site.siteId as SiteId);
    const session = connect(own.url, { settings: { initialWindowSize: 100 } });
    const unread = Array.from({ length: 50 }, (_, n) => openUnread(session, own.site.key, n));
    await Promise.all(unread.map((stream) => once(stream, "response")));
    await using reader = openWatch(own.site.backend, { start: WatchStart.HEAD }, 120_000);
    const { head } = await reader.next("hello");
    await generator.fill(500);
    await read(reader, head + 500n);
    const before = usedMegabytes();
    // About 2 MB of frames; kept for each of 50 streams they would be 100 MB.
    await generator.fill(10_000);
    await read(reader, head + 10_500n);

    const grown = usedMegabytes() - before;
    await until(() => own.streams() === 1); // All but the reader's have been cut.
    const [first] = unread;
    session.settings({ initialWindowSize: 16 * MEGABYTE });
    session.setLocalWindowSize(64 * MEGABYTE);
    const frames = first ? await framesOf(first) : [];
    session.destroy();
    const last = frames.at(-1);
    const cursor = last?.case === "goodbye" ? last.value.cursor : "";
    await using resumed = openWatch(own.site.backend, { cursor, clientId: "resumed" }, 60_000);
    await resumed.next("hello");
    const missed = await resumed.next("changeBatch");

    expect(grown).toBeLessThan(40);
    expect(frames.length).toBeLessThan(10);
    expect(last?.value).toMatchObject({ reason: GoodbyeReason.SLOW });
    expect(missed.previousPosition).toBeLessThan(head + 10_500n);
    expect(missed.previousPosition).toBe(coveredBy(frames));
  });

  test("leave no stream, turn or connection behind after 1,000 connects and resets", async () => {
    await using own = await openInnerService();
    const generator = createChangeGenerator(own.database.db, own.site.siteId as SiteId);
    await generator.fill(600);
    for (let round = 0; round < 25; round += 1) {
      const session = connect(own.url, { settings: { initialWindowSize: 100 } });
      session.on("error", () => undefined);
      const streams = Array.from({ length: 40 }, (_, n) =>
        openUnread(session, own.site.key, round * 40 + n, {
          start: n % 2 === 0 ? WatchStart.HEAD : WatchStart.SNAPSHOT,
        }),
      );
      if (round % 3 > 0) {
        await Promise.race(streams.map((stream) => once(stream, "response")));
      }
      if (round % 3 === 2) await generator.create(); // Some are blocked amid a frame.
      for (const stream of streams) stream.close();
      session.destroy();
    }

    await until(async () => (await busyConnections(own)) === 0);
    const request = { start: WatchStart.HEAD, clientId: "client 1" };
    const four = [1, 2, 3, 4].map(() => openWatch(grpcClients(own.url, own.site.key), request));
    for (const stream of four) await stream.next("hello");
    for (const stream of four) await stream[Symbol.asyncDispose]();
    await until(() => own.streams() === 0);

    expect(own.streams()).toBe(0);
  });
});

/** Opens a stream that is never read, over a window into which no frame fits. */
function openUnread(session: ClientHttp2Session, key: string, n: number, more: Request = {}) {
  const request = { clientId: `client ${n}`, start: WatchStart.HEAD, ...more };
  const message = toBinary(WatchUsersRequestSchema, create(WatchUsersRequestSchema, request));
  const body = Buffer.alloc(ENVELOPE_BYTES + message.length);
  body.writeUInt32BE(message.length, 1);
  body.set(message, ENVELOPE_BYTES);
  const headers = { "content-type": "application/grpc", authorization: `Bearer ${key}` };
  return openRawStream(session, { headers, body: [body] });
}

async function framesOf(stream: ReturnType<typeof openUnread>) {
  const bytes = Buffer.concat(await stream.toArray());
  const frames: WatchUsersResponse["frame"][] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + ENVELOPE_BYTES + bytes.readUInt32BE(at + 1);
    const payload = bytes.subarray(at + ENVELOPE_BYTES, end);
    frames.push(fromBinary(WatchUsersResponseSchema, payload).frame);
    at = end;
  }
  return frames;
}

/** Where the batches among some frames end. */
function coveredBy(frames: readonly WatchUsersResponse["frame"][]): bigint {
  const positions = frames.map((frame) => {
    if (frame.case === "hello") return frame.value.head;
    return frame.case === "changeBatch" ? frame.value.position : 0n;
  });
  return positions.reduce((most, position) => (position > most ? position : most), 0n);
}

async function read(watch: ReturnType<typeof openWatch>, end: bigint): Promise<void> {
  for (let position = 0n; position < end; ) ({ position } = await watch.next("changeBatch"));
}

function usedMegabytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / MEGABYTE;
}

async function busyConnections({ database }: InnerService): Promise<number> {
  const [row] = await runAsAdmin<{ count: string }>(
    database.adminUrl,
    `select count(*) from pg_stat_activity
      where datname = current_database() and application_name = 'signet' and state <> 'idle'`,
  );
  return Number(row?.count);
}
