import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { WatchStart, WatchUsersRequestSchema } from "../gen/signet/v1/sync_service_pb.ts";
import { answerParent } from "./child-process.ts";
import { FRAME_HEADER_BYTES, frame } from "./grpc-frame.ts";
import { monotonicMs } from "./monotonic-clock.ts";
import type { StreamAddress } from "./stream-server.ts";

/** What a process of clients is asked to do. */
export type ClientOrder =
  | {
      readonly type: "open";
      readonly audience: string;
      readonly address: StreamAddress;
      readonly streams: number;
      /** Sets the clients of one process apart from those of another. */
      readonly prefix: string;
    }
  | { readonly type: "await batch"; readonly audience: string; readonly number: number }
  | { readonly type: "leave"; readonly audience: string };

/** What it answers. */
export interface ClientReply {
  /** When the last byte of the batch had come to the last stream, by `monotonicMs`. */
  readonly receivedMs?: number;
  /** The bytes of the first frame, and of the last batch, as one stream got them. */
  readonly first?: Uint8Array;
  readonly batch?: Uint8Array;
}

/** The streams of one server that this process holds. */
interface Audience {
  readonly sessions: ClientHttp2Session[];
  /** Batches that each stream has got since streams were last opened. */
  readonly batches: number[];
  /** How many streams have got a batch, and when the last of them did, by the batch's number. */
  readonly arrivals: Map<number, { count: number; receivedMs: number }>;
  onArrival: () => void;
  first: Uint8Array | undefined;
  batch: Uint8Array | undefined;
}

const STREAMS_PER_SESSION = 100;
const STREAMS_PER_CLIENT = 4;
/** Frames without Changes are far smaller, batches far larger. */
const BATCH_BYTES_MIN = 1_200;
const WAIT_MS_MAX = 60_000;

const audiences = new Map<string, Audience>();

answerParent(obey);

async function obey(order: ClientOrder): Promise<ClientReply> {
  const audience = audienceOf(order.audience);
  if (order.type === "open") {
    await openAll(audience, order);
    return audience.first ? { first: audience.first } : {};
  }
  if (order.type === "leave") {
    leave(audience);
    return {};
  }
  const receivedMs = await arrived(audience, order.number);
  return { receivedMs, ...(audience.batch && { batch: audience.batch }) };
}

function audienceOf(name: string): Audience {
  const known = audiences.get(name);
  if (known) return known;
  const made: Audience = {
    sessions: [],
    batches: [],
    arrivals: new Map(),
    onArrival: () => undefined,
    first: undefined,
    batch: undefined,
  };
  audiences.set(name, made);
  return made;
}

/** Opens streams, and waits until each has its first frame. */
async function openAll(
  audience: Audience,
  { address, streams, prefix }: Extract<ClientOrder, { type: "open" }>,
): Promise<void> {
  audience.batches.fill(0);
  audience.arrivals.clear();
  for (let left = streams; left > 0; left -= STREAMS_PER_SESSION) {
    const session = connect(address.url);
    session.on("error", fail);
    await once(session, "connect");
    audience.sessions.push(session);
    const count = Math.min(left, STREAMS_PER_SESSION);
    const begun = Array.from({ length: count }, () => {
      const client = Math.floor(audience.batches.length / STREAMS_PER_CLIENT);
      return begin(audience, session, address, `${prefix}-${client}`);
    });
    await Promise.all(begun);
  }
}

/** Lets all streams go, so that their end is no failure. */
function leave({ sessions }: Audience): void {
  for (const session of sessions) session.destroy();
}

/** Opens one stream; resolves with its first frame. */
function begin(
  audience: Audience,
  session: ClientHttp2Session,
  { authorization }: StreamAddress,
  clientId: string,
): Promise<void> {
  const request = create(WatchUsersRequestSchema, { clientId, start: WatchStart.HEAD });
  const stream = session.request({
    ":method": "POST",
    ":path": "/signet.v1.SyncService/WatchUsers",
    "content-type": "application/grpc+proto",
    te: "trailers",
    authorization,
  });
  stream.end(frame(toBinary(WatchUsersRequestSchema, request)));
  stream.on("error", fail);
  stream.on("trailers", (trailers) => fail(new Error(`refused: ${JSON.stringify(trailers)}`)));
  return new Promise((resolve) => readFrames(stream, audience, resolve));
}

/** Finds the ends of frames without joining chunks: what is measured is the server. */
function readFrames(stream: ClientHttp2Stream, audience: Audience, onFirst: () => void): void {
  let rest: Buffer = Buffer.alloc(0);
  let missing = 0;
  let size = 0;
  const place = audience.batches.push(0) - 1;
  let kept: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => {
    let at = 0;
    while (at < chunk.length) {
      if (missing === 0) {
        const head =
          rest.length > 0 ? Buffer.concat([rest, chunk.subarray(at)]) : chunk.subarray(at);
        if (head.length < FRAME_HEADER_BYTES) {
          rest = head;
          return;
        }
        size = FRAME_HEADER_BYTES + head.readUInt32BE(1);
        missing = size - rest.length;
        kept = rest.length > 0 ? [rest] : [];
        rest = Buffer.alloc(0);
      }
      const taken = Math.min(missing, chunk.length - at);
      if (audience.first === undefined || audience.batch === undefined) {
        kept.push(Buffer.from(chunk.subarray(at, at + taken)));
      }
      missing -= taken;
      at += taken;
      if (missing === 0) onFrame();
    }
  });

  function onFrame(): void {
    if (size >= BATCH_BYTES_MIN) {
      const number = (audience.batches[place] ?? 0) + 1;
      audience.batches[place] = number;
      audience.batch ??= Buffer.concat(kept);
      note(audience, number);
    } else {
      audience.first ??= Buffer.concat(kept);
      onFirst();
    }
  }
}

function note(audience: Audience, number: number): void {
  const arrival = audience.arrivals.get(number) ?? { count: 0, receivedMs: 0 };
  audience.arrivals.set(number, arrival);
  arrival.count += 1;
  if (arrival.count < audience.batches.length) return;
  arrival.receivedMs = monotonicMs();
  audience.onArrival();
}

/** Waits until all streams have so many batches. */
function arrived(audience: Audience, number: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const count = audience.arrivals.get(number)?.count ?? 0;
      reject(new Error(`${count} of ${audience.batches.length} streams have got batch ${number}`));
    }, WAIT_MS_MAX);
    const look = (): void => {
      const arrival = audience.arrivals.get(number);
      if (arrival === undefined || arrival.receivedMs === 0) return;
      clearTimeout(timer);
      audience.arrivals.delete(number);
      resolve(arrival.receivedMs);
    };
    audience.onArrival = look;
    look();
  });
}

/** A stream that ends is a failure of the whole run: the parent sees this process end. */
function fail(error: Error): never {
  console.error(error.message);
  process.exit(1);
}
