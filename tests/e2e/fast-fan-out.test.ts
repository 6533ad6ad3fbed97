import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { afterAll, describe, expect, test } from "vitest";
import { type Change, ChangeKind } from "../../gen/signet/v1/change_pb.ts";
import {
  WatchStart,
  WatchUsersRequestSchema,
  type WatchUsersResponse,
  WatchUsersResponseSchema,
} from "../../gen/signet/v1/sync_service_pb.ts";
import { createKey, uniqueEmail } from "../support/builders.ts";
import { envelope } from "../support/edge-calls.ts";
import { openRawStream } from "../support/raw-stream-call.ts";
import { openSiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service, operator, site } = opened;

const ROUNDS = 12;
const STREAMS = 500;
const STREAMS_PER_SESSION = 100;
const STREAMS_PER_CLIENT = 4;
const TYPES = ["application/grpc+proto", "application/connect+proto"];

describe("500 streams of three classes over two protocols", () => {
  test("each get every Change of their class, once, in order, and nothing else", async () => {
    const narrow = await createKey(operator, site.siteId, { userFields: ["display_name"] });
    const { user: one } = await site.backend.users.createUser({ email: uniqueEmail() });
    const classes = [
      { key: site.key, filter: {} },
      { key: site.key, filter: { kinds: [ChangeKind.CREATED] } },
      { key: narrow, filter: {} },
    ];
    const sessions = await openSessions();
    const streams = Array.from({ length: STREAMS }, (_, n) => {
      const kind = n % classes.length;
      const { key = "", filter } = classes[kind] ?? {};
      const session = sessions[Math.floor(n / STREAMS_PER_SESSION)];
      if (!session) throw new Error("there is no connection");
      return { kind, reader: openStream(session, n, key, { filter }) };
    });
    await until(() => streams.every(({ reader }) => reader.has("checkpoint")));

    for (let n = 0; n < ROUNDS; n += 1) {
      await site.backend.users.createUser({ email: uniqueEmail(), displayName: `New ${n}` });
      await site.backend.users.updateUser({ userId: one?.id ?? "", displayName: `Old ${n}` });
    }
    const wanted = [2 * ROUNDS, ROUNDS, 2 * ROUNDS];
    await until(() =>
      streams.every(({ kind, reader }) => reader.changes().length >= (wanted[kind] ?? 0)),
    );
    for (const session of sessions) session.destroy();

    for (const kind of classes.keys()) {
      const seen = streams.filter((each) => each.kind === kind).map(({ reader }) => reader.text());
      expect(seen.length).toBeGreaterThan(STREAMS / 4);
      expect(new Set(seen).size).toBe(1);
    }
    const [all, created, projected] = streams.map(({ reader }) => reader.changes());
    const names = interleaved((n) => [`New ${n}`, `Old ${n}`]);
    expect(all?.map(({ user }) => user?.displayName)).toEqual(names);
    expect(created?.map(({ user }) => user?.displayName)).toEqual(interleaved((n) => [`New ${n}`]));
    expect(projected?.map(({ user }) => user?.displayName)).toEqual(names);
    expect(all?.every(({ user }) => user?.email)).toBe(true);
    expect(projected?.some(({ user }) => user?.email)).toBe(false);
  });
});

function interleaved(names: (n: number) => readonly string[]): string[] {
  return Array.from({ length: ROUNDS }, (_, n) => names(n)).flat();
}

async function openSessions(): Promise<ClientHttp2Session[]> {
  const count = STREAMS / STREAMS_PER_SESSION;
  const sessions = Array.from({ length: count }, () => connect(service.url));
  for (const session of sessions) session.on("error", () => undefined);
  await Promise.all(sessions.map((session) => once(session, "connect")));
  return sessions;
}

function openStream(
  session: ClientHttp2Session,
  n: number,
  key: string,
  more: MessageInitShape<typeof WatchUsersRequestSchema>,
) {
  const clientId = `client-${Math.floor(n / STREAMS_PER_CLIENT)}`;
  const request = create(WatchUsersRequestSchema, { ...more, clientId, start: WatchStart.HEAD });
  const headers = {
    "content-type": TYPES[n % TYPES.length] ?? "",
    authorization: `Bearer ${key}`,
  };
  const body = [envelope(toBinary(WatchUsersRequestSchema, request))];
  return readStream(openRawStream(session, { headers, body }));
}

/** Collects the frames of a stream. */
function readStream(stream: ClientHttp2Stream) {
  const frames: WatchUsersResponse["frame"][] = [];
  let rest = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1);
      frames.push(fromBinary(WatchUsersResponseSchema, rest.subarray(5, end)).frame);
      rest = rest.subarray(end);
    }
  });
  const changes = (): Change[] =>
    frames.flatMap((frame) => (frame.case === "changeBatch" ? frame.value.changes : []));
  return {
    has: (wanted: WatchUsersResponse["frame"]["case"]) =>
      frames.some((frame) => frame.case === wanted),
    changes,
    text: () => JSON.stringify(changes(), (_key, value) => readable(value)),
  };
}

function readable(value: unknown): unknown {
  return typeof value === "bigint" ? `${value}` : value;
}
