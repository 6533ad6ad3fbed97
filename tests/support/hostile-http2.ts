import type { Socket } from "node:net";
import type { Dice } from "./hostile-dice.ts";
import { leave } from "./hostile-http1.ts";
import type { Verdict } from "./hostile-judge.ts";
import {
  connectRaw,
  END_HEADERS,
  END_STREAM,
  FRAME,
  frame,
  frameTypes,
  grpcHeaders,
  headerBlock,
} from "./raw-http2.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const PATH = "/signet.v1.SiteService/GetSite";
const WATCH = "/signet.v1.SyncService/WatchUsers";
const FIRST_BYTES_MS = 500;
const QUIET_MS = 50;
const CONTINUATION = 9;
const WINDOW_UPDATE = 8;
const PRIORITY = 2;
const PUSH_PROMISE = 5;

const LIKE_GRPC = { ":scheme": "http", ":authority": "a", te: "trailers" };
const RIGHT = { ":method": "POST", ":path": PATH, ...LIKE_GRPC };
/** Header blocks that RFC 9113 §8.2 and §8.3 call malformed. */
const BLOCKS: readonly Buffer[] = [
  headerBlock({}),
  headerBlock({ ":method": "POST", ...LIKE_GRPC }),
  headerBlock({ ":path": PATH, ...LIKE_GRPC }),
  headerBlock({ ...RIGHT, ":path": "" }),
  headerBlock({ ...RIGHT, ":path": "*" }),
  headerBlock({ ...RIGHT, ":authority": "[" }),
  headerBlock({ ...RIGHT, ":authority": "a:99999" }),
  headerBlock({ ...RIGHT, ":authority": "a\r\nb" }),
  headerBlock({ ...RIGHT, ":status": "200" }),
  headerBlock({ ...RIGHT, ":unknown": "x" }),
  headerBlock({ x: "before", ...RIGHT }),
  Buffer.concat([headerBlock(RIGHT), headerBlock({ ":method": "GET" })]),
  headerBlock({ ...RIGHT, "Upper-Case": "x" }),
  headerBlock({ ...RIGHT, connection: "keep-alive" }),
  headerBlock({ ...RIGHT, "transfer-encoding": "chunked" }),
  headerBlock({ ...RIGHT, te: "gzip" }),
  headerBlock({ ...RIGHT, "content-length": "5" }),
  headerBlock({ ...RIGHT, "x\0y": "z" }),
  headerBlock({ ...RIGHT, x: "a\0b" }),
  headerBlock({ ":method": "CONNECT", ":authority": "a:1" }),
  headerBlock({ ":method": "CONNECT", ":protocol": "websocket", ":scheme": "http", ":path": "/" }),
  headerBlock({ ...RIGHT, x: "y".repeat(16_000) }),
  Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]), // An index that no table has.
  Buffer.from([0x3f, 0xff, 0xff, 0xff, 0xff, 0x0f]), // A table size out of range.
  Buffer.from([0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]), // A name of 4 GiB.
  headerBlock(RIGHT),
];

/** Writes a connection of HTTP/2 frame by frame, most of them out of place. */
export function malformedHttp2(dice: Dice): Buffer {
  const preface = dice.chance(0.9)
    ? PREFACE
    : Buffer.concat([PREFACE.subarray(0, 20), dice.bytes(4)]);
  const settings = dice.chance(0.9) ? frame(FRAME.settings, 0, 0) : settingsFrame(dice);
  const frames = Array.from({ length: dice.below(5) + 1 }, () => dice.pick(FRAMES)(dice));
  const right = frame(FRAME.headers, END_HEADERS | END_STREAM, 1, grpcHeaders(PATH));
  const bytes = Buffer.concat([preface, settings, ...(dice.chance(0.5) ? [right] : []), ...frames]);
  return dice.chance(0.9) ? bytes : bytes.subarray(0, dice.below(bytes.length));
}

const FRAMES: readonly ((dice: Dice) => Buffer)[] = [
  settingsFrame,
  (dice) => frame(FRAME.headers, flags(dice), stream(dice), dice.pick(BLOCKS)),
  (dice) => frame(FRAME.headers, END_HEADERS | END_STREAM, stream(dice), dice.pick(BLOCKS)),
  (dice) => frame(FRAME.headers, END_HEADERS, stream(dice), grpcHeaders(dice.pick([PATH, WATCH]))),
  (dice) => frame(FRAME.data, flags(dice), stream(dice), dice.bytes(dice.below(40))),
  (dice) => frame(FRAME.ping, flags(dice), 0, dice.bytes(dice.pick([8, 8, 7, 0]))),
  (dice) => frame(FRAME.reset, 0, stream(dice), dice.bytes(dice.pick([4, 4, 3]))),
  (dice) => frame(FRAME.goaway, 0, 0, dice.bytes(dice.pick([8, 3, 40]))),
  (dice) => frame(WINDOW_UPDATE, 0, stream(dice) - dice.below(2), window(dice)),
  (dice) => frame(PRIORITY, 0, stream(dice), dice.bytes(dice.pick([5, 4]))),
  (dice) => frame(PUSH_PROMISE, END_HEADERS, stream(dice), dice.bytes(8)),
  (dice) => frame(CONTINUATION, flags(dice), stream(dice), dice.pick(BLOCKS)),
  (dice) => frame(dice.below(256), dice.below(256), stream(dice), dice.bytes(dice.below(30))),
  (dice) => dice.bytes(dice.below(30)),
];

function settingsFrame(dice: Dice): Buffer {
  const entries = Array.from({ length: dice.pick([1, 2, 33, 100]) }, () => {
    const entry = Buffer.alloc(6);
    entry.writeUInt16BE(dice.pick([1, 2, 3, 4, 5, 6, 8, 99]), 0);
    entry.writeUInt32BE(dice.pick([0, 1, 16_383, 2 ** 31, 2 ** 32 - 1]), 2);
    return entry;
  });
  return frame(FRAME.settings, dice.pick([0, 1]), dice.pick([0, 0, 1]), Buffer.concat(entries));
}

function stream(dice: Dice): number {
  return dice.pick([1, 1, 1, 3, 5, 2, 2 ** 31 - 1, 1]);
}

function flags(dice: Dice): number {
  return dice.pick([0, END_STREAM, END_HEADERS, END_STREAM | END_HEADERS, 0x8, 0x20, 0xff]);
}

function window(dice: Dice): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(dice.pick([0, 1, 2 ** 31 - 1, 2 ** 32 - 1]));
  return bytes;
}

/** Sends such a connection; the server ends it, refuses a stream of it, or answers. */
export async function judgeHttp2(port: number, bytes: Buffer): Promise<Verdict> {
  const socket = await connectRaw(port);
  socket.write(bytes);
  const answer = await untilQuiet(socket);
  const isClosed = socket.destroyed || socket.readableEnded;
  leave(socket);
  const text = answer.toString("latin1");
  if (/node:internal|\n\s*at .+:\d+/.test(text))
    return { outcome: "leak", fault: text.slice(0, 300) };
  const types = frameTypes(answer);
  if (types.has(FRAME.goaway)) return { outcome: "GOAWAY" };
  if (types.has(FRAME.headers)) return { outcome: "answered" };
  if (types.has(FRAME.reset)) return { outcome: "reset" };
  return { outcome: isClosed ? "closed" : "open" };
}

/** Collects what arrives until nothing more does. */
async function untilQuiet(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await new Promise<void>((resolve) => {
    let timer = setTimeout(resolve, FIRST_BYTES_MS);
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      clearTimeout(timer);
      timer = setTimeout(resolve, QUIET_MS);
    });
    socket.on("end", resolve).on("close", resolve);
  });
  return Buffer.concat(chunks);
}

/** What a client does to wear a server out; `socket` has sent its preface and settings. */
export interface Http2Flood {
  readonly name: string;
  run(socket: Socket): Promise<void>;
}

/** Each goes on until the server has had enough, or so much has been sent. */
export const FLOODS: readonly Http2Flood[] = [
  flood("settings", 20_000, () => frame(FRAME.settings, 0, 0)),
  flood("pings", 50_000, () => frame(FRAME.ping, 0, 0, Buffer.alloc(8))),
  flood("rapid reset", 20_000, (n) =>
    Buffer.concat([
      frame(FRAME.headers, END_HEADERS, 2 * n + 1, grpcHeaders(PATH)),
      frame(FRAME.reset, 0, 2 * n + 1, Buffer.from([0, 0, 0, 8])),
    ]),
  ),
  flood("headers that never end", 5_000, (n) =>
    n === 0
      ? frame(FRAME.headers, 0, 1, grpcHeaders(PATH))
      : frame(CONTINUATION, 0, 1, headerBlock({ [`x${n}`]: "y".repeat(1_000) })),
  ),
  flood("empty continuations", 50_000, (n) =>
    n === 0 ? frame(FRAME.headers, 0, 1, grpcHeaders(PATH)) : frame(CONTINUATION, 0, 1),
  ),
  flood("empty data", 50_000, (n) =>
    n === 0 ? frame(FRAME.headers, END_HEADERS, 1, grpcHeaders(PATH)) : frame(FRAME.data, 0, 1),
  ),
  flood("priorities", 50_000, (n) => frame(PRIORITY, 0, 2 * n + 1, Buffer.alloc(5))),
  flood("half-open streams", 5_000, (n) =>
    frame(FRAME.headers, END_HEADERS, 2 * n + 1, grpcHeaders(PATH)),
  ),
  flood("streams that cannot be answered", 2_000, (n) =>
    n === 0
      ? frame(FRAME.settings, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0]))
      : frame(FRAME.headers, END_HEADERS | END_STREAM, 2 * n + 1, grpcHeaders(WATCH)),
  ),
  flood("large header blocks", 2_000, (n) =>
    frame(
      FRAME.headers,
      END_HEADERS | END_STREAM,
      2 * n + 1,
      headerBlock({ x: "y".repeat(15_000) }),
    ),
  ),
  flood("data after the end", 20_000, (n) =>
    n === 0
      ? frame(FRAME.headers, END_HEADERS | END_STREAM, 1, grpcHeaders(PATH))
      : frame(FRAME.data, 0, 1, Buffer.alloc(100)),
  ),
  flood("windows beyond all bounds", 1_000, () =>
    frame(WINDOW_UPDATE, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])),
  ),
];

/** Opens a connection for a flood. */
export async function openFlood(port: number): Promise<Socket> {
  const socket = await connectRaw(port);
  socket.resume();
  socket.write(Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0)]));
  return socket;
}

const FRAMES_AT_ONCE = 500;

function flood(name: string, frames: number, next: (n: number) => Buffer): Http2Flood {
  return {
    name,
    async run(socket) {
      for (let n = 0; n < frames && !socket.destroyed; n += FRAMES_AT_ONCE) {
        const size = Math.min(FRAMES_AT_ONCE, frames - n);
        const some = Buffer.concat(Array.from({ length: size }, (_, at) => next(n + at)));
        if (!socket.write(some)) await mayWrite(socket);
      }
    },
  };
}

/** Waits until a socket takes more, or is closed. */
function mayWrite(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      socket.off("drain", settle).off("close", settle);
      resolve();
    };
    if (socket.destroyed) resolve();
    else socket.on("drain", settle).on("close", settle);
  });
}
