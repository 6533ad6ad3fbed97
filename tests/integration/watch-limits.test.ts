import { once } from "node:events";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import { WatchStart, WatchUsersRequestSchema } from "../../gen/signet/v1/sync_service_pb.ts";
import type { SiteId } from "../../src/model/id.ts";
import { type Clients, createKey, grpcClients, refusal } from "../support/builders.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { openSiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";
import { openWatch } from "../support/watch.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { database, service, operator, site } = opened;

describe("the streams of one key and client id", () => {
  test("are four at most, and one that is left makes room for another", async () => {
    const request = { clientId: "four", start: WatchStart.HEAD };
    const open = () => openWatch(site.backend, request);
    const streams = [open(), open(), open(), open()];
    for (const stream of streams) await stream.next("hello");
    await using fifth = open();

    const refused = await refusal(fifth.next("hello"));
    await streams[0]?.[Symbol.asyncDispose]();
    const another = await until(async () => await tryOpen(site.backend, request));
    await another[Symbol.asyncDispose]();
    await using stranger = openWatch(site.backend, { ...request, clientId: "another" });

    expect(refused).toMatchObject({ code: "ResourceExhausted", reason: "TOO_MANY_STREAMS" });
    expect(refused.retryDelayMs).toBeGreaterThan(0);
    expect(await stranger.next("hello")).toMatchObject({ siteId: site.siteId });
    for (const stream of streams.slice(1)) await stream[Symbol.asyncDispose]();
  });

  test("make room when their client vanishes without having read a thing", async () => {
    const request = { clientId: "vanishing", start: WatchStart.HEAD };
    const opening = [1, 2, 3, 4].map(() => openUnread(service.url, site.key, request.clientId));
    const sessions = await Promise.all(opening);
    const refused = await tryOpen(site.backend, request);

    for (const session of sessions) session.destroy();
    const stream = await until(async () => await tryOpen(site.backend, request));
    await stream[Symbol.asyncDispose]();

    expect(refused).toBeUndefined();
  });

  test("all have gone after 200 of them were opened and reset", async () => {
    const request = { clientId: "resets", start: WatchStart.HEAD };
    for (let n = 0; n < 50; n += 1) {
      const streams = [1, 2, 3, 4].map(() => openWatch(site.backend, request));
      const reading = streams.map((stream) => stream.next("hello").catch(() => undefined));
      if (n % 2 === 0) await Promise.all(reading);
      else await sleep(n % 5);
      await Promise.all(streams.map((stream) => stream[Symbol.asyncDispose]()));
    }

    const four = await until(async () => {
      const opened = await Promise.all([1, 2, 3, 4].map(() => tryOpen(site.backend, request)));
      const streams = opened.filter((stream) => stream !== undefined);
      if (streams.length === 4) return streams;
      for (const stream of streams) await stream[Symbol.asyncDispose]();
      return undefined;
    });
    for (const stream of four) await stream[Symbol.asyncDispose]();
  });
});

test("a client that does not read holds up nobody else", async () => {
  const generator = createChangeGenerator(database.db, site.siteId as SiteId);
  const silent = await openUnread(service.url, site.key, "silent");
  await using reading = openWatch(site.backend, { clientId: "reading", start: WatchStart.HEAD });
  const { head } = await reading.next("hello");
  await generator.fill(3_000);
  const id = await generator.create();

  let last = await reading.next("changeBatch");
  while (last.position < head + 3_001n) last = await reading.next("changeBatch");
  silent.destroy();

  expect(last.changes.at(-1)?.user?.id).toBe(id);
});

test("a key that is revoked ends its streams within 5 s, with REAUTHENTICATE", async () => {
  const { apiKey, secret } = await operator.sites.createApiKey({
    siteId: site.siteId,
    label: "short-lived",
    scopes: [Scope.SYNC],
  });
  await using watch = openWatch(grpcClients(service.url, secret), { start: WatchStart.HEAD });
  await watch.next("hello");
  await operator.sites.revokeApiKey({ siteId: site.siteId, apiKeyId: apiKey?.id ?? "" });
  const beginMs = performance.now();

  const goodbye = await watch.next("goodbye");
  const seconds = (performance.now() - beginMs) / 1_000;

  expect(goodbye).toMatchObject({ reason: GoodbyeReason.REAUTHENTICATE });
  expect(seconds).toBeLessThan(5);
  expect(await refusal(watch.next("hello"))).toMatchObject({ reason: "CREDENTIAL_INVALID" });
});

test("a key that expires ends its streams", async () => {
  const seconds = BigInt(Math.floor(Date.now() / 1_000) + 2);
  const key = await createKey(operator, site.siteId, {
    scopes: [Scope.SYNC],
    expireTime: { seconds, nanos: 0 },
  });
  await using watch = openWatch(grpcClients(service.url, key), { start: WatchStart.HEAD });
  await watch.next("hello");

  expect(await watch.next("goodbye")).toMatchObject({ reason: GoodbyeReason.REAUTHENTICATE });
});

/** Opens a stream, unless there are too many. */
async function tryOpen(clients: Clients, request: Parameters<typeof openWatch>[1]) {
  const stream = openWatch(clients, request);
  try {
    await stream.next("hello");
    return stream;
  } catch {
    await stream[Symbol.asyncDispose]();
    return undefined;
  }
}

/** Opens a stream by hand, with a window that even the first frame does not fit into. */
async function openUnread(url: string, key: string, clientId: string): Promise<ClientHttp2Session> {
  const session = connect(url, { settings: { initialWindowSize: 100 } });
  session.on("error", () => undefined);
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: "POST",
    [constants.HTTP2_HEADER_PATH]: "/signet.v1.SyncService/WatchUsers",
    "content-type": "application/grpc",
    te: "trailers",
    authorization: `Bearer ${key}`,
  });
  stream.on("error", () => undefined);
  const message = toBinary(
    WatchUsersRequestSchema,
    create(WatchUsersRequestSchema, { clientId, start: WatchStart.HEAD }),
  );
  const envelope = Buffer.alloc(5);
  envelope.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([envelope, message]));
  await once(stream, "response");
  return session;
}
