import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import {
  WatchRevocationsRequestSchema,
  type WatchRevocationsResponse,
  WatchRevocationsResponseSchema,
} from "../../gen/signet/v1/sync_service_pb.ts";
import { grpcClients, refusal } from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { envelope } from "../support/edge-calls.ts";
import { type InnerService, openInnerService } from "../support/inner-service.ts";
import { openRawStream } from "../support/raw-stream-call.ts";
import { openRevocationWatch } from "../support/revocation-watch.ts";
import { until } from "../support/waiting.ts";

type Frame = WatchRevocationsResponse["frame"];

/** Some 70 kB in three batches: more than a stream buffers for a client that takes nothing. */
const REVOCATIONS = 2_500;
const ENVELOPE_BYTES = 5;
const IS_TRAILERS = 0x80;
const MEGABYTE = 1024 * 1024;
const CLIENT_ID = "unread";
/** As many as one client id may have. */
const STREAMS = 4;

let own: InnerService;

beforeAll(async () => {
  own = await openInnerService({ unreadMsMax: 1_000 });
  await runAsAdmin(
    own.database.adminUrl,
    `insert into signet.revocations (site_id, kind, subject_id, create_time, expire_time)
     select '${own.site.siteId}', 'session_ended', gen_random_uuid(), now(), now() + interval '1 h'
       from generate_series(1, ${REVOCATIONS})`,
  );
});

afterAll(() => own[Symbol.asyncDispose]());

test.each([
  ["below the adapter", "application/grpc"],
  ["through the adapter", "application/grpc-web+proto"],
])(
  "a verifier that does not read is cut with SLOW, and its places are free: %s",
  async (_, type) => {
    const session = connect(own.url, { settings: { initialWindowSize: 100 } });
    const unread = Array.from({ length: STREAMS }, () => openUnread(session, type));
    await Promise.all(unread.map((stream) => once(stream, "response")));
    const before = own.streams();
    const tooMany = await refusal(watch(CLIENT_ID));

    await until(() => own.streams() === before - STREAMS);
    await using reader = openRevocationWatch(own.site.backend, { clientId: CLIENT_ID });
    const { revocations } = await reader.set();
    const [first] = unread;
    session.settings({ initialWindowSize: 16 * MEGABYTE });
    session.setLocalWindowSize(64 * MEGABYTE);
    const frames = first ? await framesOf(first) : [];
    session.destroy();

    expect(tooMany.reason).toBe("TOO_MANY_STREAMS");
    expect(revocations).toHaveLength(REVOCATIONS);
    expect(frames[0]?.case).toBe("hello");
    expect(frames.at(-1)?.value).toMatchObject({ reason: GoodbyeReason.SLOW });
    expect(frames.map((frame) => frame.case)).not.toContain("heartbeat");
  },
);

test("the call of a verifier that does not read fails with SLOW_CONSUMER", async () => {
  const session = connect(own.url, { settings: { initialWindowSize: 100 } });
  const stream = openUnread(session, "application/grpc");
  await once(stream, "response");
  await until(() => own.streams() === 0);

  session.settings({ initialWindowSize: 16 * MEGABYTE });
  session.setLocalWindowSize(64 * MEGABYTE);
  const [trailers] = await once(stream.resume(), "trailers");
  session.destroy();

  expect(trailers).toMatchObject({ "grpc-status": "8" });
  expect(Buffer.from(String(trailers["grpc-status-details-bin"]), "base64").toString()).toContain(
    "signet.v1.ErrorDetail",
  );
});

/** Opens a stream that is never read, over a window into which few frames fit. */
function openUnread(session: ClientHttp2Session, contentType: string): ClientHttp2Stream {
  const schema = WatchRevocationsRequestSchema;
  return openRawStream(session, {
    headers: {
      ":path": "/signet.v1.SyncService/WatchRevocations",
      "content-type": contentType,
      authorization: `Bearer ${own.site.key}`,
    },
    body: [envelope(toBinary(schema, create(schema, { clientId: CLIENT_ID })))],
  });
}

async function watch(clientId: string): Promise<void> {
  await using one = openRevocationWatch(grpcClients(own.url, own.site.key), { clientId });
  await one.next("hello");
}

async function framesOf(stream: ClientHttp2Stream): Promise<Frame[]> {
  const bytes = Buffer.concat(await stream.toArray());
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + ENVELOPE_BYTES + bytes.readUInt32BE(at + 1);
    const payload = bytes.subarray(at + ENVELOPE_BYTES, end);
    const isMessage = (bytes.readUInt8(at) & IS_TRAILERS) === 0;
    if (isMessage) frames.push(fromBinary(WatchRevocationsResponseSchema, payload).frame);
    at = end;
  }
  return frames;
}
