import type { Socket } from "node:net";
import type { Dice } from "./hostile-dice.ts";
import type { Verdict } from "./hostile-judge.ts";
import { connectRaw } from "./raw-http2.ts";

/** A request of HTTP/1.1 that two readers might take differently, and how it has to be answered. */
export interface SmuggledRequest {
  readonly name: string;
  readonly bytes: string;
  /** Statuses of all answers on the connection, in turn. */
  readonly statuses: readonly number[];
}

const POST = "POST /signet.v1.SiteService/GetSite HTTP/1.1\r\nhost: a\r\n";
const INNER = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
const JSON_TYPE = "content-type: application/json\r\n";

/** None of them may be read as two requests. */
export const SMUGGLED: readonly SmuggledRequest[] = [
  bad(
    "a length and chunks",
    `${POST}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${INNER}`,
  ),
  bad(
    "chunks and a length",
    `${POST}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n${INNER}`,
  ),
  bad("two lengths", `${POST}content-length: 0\r\ncontent-length: ${INNER.length}\r\n\r\n${INNER}`),
  bad("a list of lengths", `${POST}content-length: 0, ${INNER.length}\r\n\r\n${INNER}`),
  bad("a length with a sign", `${POST}content-length: +0\r\n\r\n${INNER}`),
  bad("a negative length", `${POST}content-length: -1\r\n\r\n${INNER}`),
  bad("a length in hex", `${POST}content-length: 0x0\r\n\r\n${INNER}`),
  bad("a length of 2^64", `${POST}content-length: 18446744073709551616\r\n\r\n${INNER}`),
  bad("chunked twice", `${POST}transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n${INNER}`),
  bad(
    "chunked before identity",
    `${POST}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n${INNER}`,
  ),
  bad("an unknown coding", `${POST}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n${INNER}`),
  bad("a space before the colon", `${POST}content-length : 4\r\n\r\nabcd${INNER}`),
  bad("a folded header", `${POST}x: 1\r\n content-length: 4\r\n\r\nabcd`),
  bad("a bare line feed", "GET /healthz HTTP/1.1\nhost: a\n\n"),
  bad("a bare line feed in a header", `${POST}x: 1\ncontent-length: 0\r\n\r\n`),
  bad("a bare carriage return", `${POST}x: 1\rcontent-length: 0\r\n\r\n`),
  bad(
    "a chunk size that is none",
    `${POST}${JSON_TYPE}transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
  ),
  bad(
    "a chunk size of 2^64",
    `${POST}transfer-encoding: chunked\r\n\r\n10000000000000000\r\n{}\r\n`,
  ),
  bad(
    "a chunk longer than it says",
    `${POST}transfer-encoding: chunked\r\n\r\n1\r\n{}}\r\n0\r\n\r\n`,
  ),
  bad("a chunk that ends in a line feed", `${POST}transfer-encoding: chunked\r\n\r\n2\n{}\n0\n\n`),
  bad("a zero byte in a header", `${POST}x: a\0b\r\n\r\n`),
  bad("a header without a name", `${POST}: x\r\n\r\n`),
  bad("a version that is none", "GET /healthz HTTP/9.9\r\nhost: a\r\n\r\n"),
  bad("a method that is none", "G E T /healthz HTTP/1.1\r\nhost: a\r\n\r\n"),
];

/** One refusal, and nothing of what follows. */
function bad(name: string, bytes: string): SmuggledRequest {
  return { name, bytes, statuses: [400] };
}

const STARTS = [
  "GET /healthz HTTP/1.1\r\n",
  POST,
  "OPTIONS * HTTP/1.1\r\n",
  "GET http://a/healthz HTTP/1.1\r\n",
];
const LINES: readonly string[] = [
  "host: a\r\n",
  "host: [\r\n",
  "host: a:99999\r\n",
  `host: ${"a".repeat(5_000)}\r\n`,
  "Host: \x7f\r\n",
  "content-length: 3\r\n",
  "content-length: 99999999999999999999\r\n",
  "transfer-encoding: chunked\r\n",
  "transfer-encoding: gzip, chunked\r\n",
  "connection: close\r\n",
  "connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: !!!!\r\n",
  "connection: content-length\r\n",
  "expect: 100-continue\r\n",
  "expect: 200-ok\r\n",
  "te: trailers, deflate\r\n",
  "content-type: application/json\r\n",
  "content-type: application/grpc\r\n",
  `x: ${"y".repeat(17_000)}\r\n`,
  "x: 1\r\n".repeat(150),
  " folded\r\n",
  "nocolon\r\n",
];
const BODIES = [
  "",
  "abc",
  "3\r\nabc\r\n0\r\n\r\n",
  "zz\r\n",
  "0\r\nx: y\r\n\r\n",
  "\0\0\0\0",
  "GET / HTTP/1.1\r\n\r\n",
];

/** Writes a request of HTTP/1.1 line by line, and damages it now and then. */
export function malformedHttp1(dice: Dice): Buffer {
  if (dice.chance(0.1)) return Buffer.from(dice.pick(SMUGGLED).bytes, "latin1");
  const lines = Array.from({ length: dice.below(7) }, () => dice.pick(LINES));
  const host = dice.chance(0.7) ? "host: a\r\n" : "";
  const text = `${dice.pick(STARTS)}${host}${lines.join("")}\r\n${dice.pick(BODIES)}`;
  const bytes = Buffer.from(text, "latin1");
  if (dice.chance(0.6)) return bytes;
  for (let n = dice.below(6); n >= 0; n -= 1)
    bytes.writeUInt8(dice.below(256), dice.below(bytes.length));
  return dice.chance(0.3) ? bytes.subarray(0, dice.below(bytes.length)) : bytes;
}

/** Sends bytes on a connection of their own, and returns the statuses of what comes back. */
export async function statusesOf(port: number, bytes: Uint8Array, ms: number): Promise<number[]> {
  const text = (await exchange(port, bytes, ms)).toString("latin1");
  return [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));
}

/** Sends such a request and judges what comes back: nothing at all, or answers of HTTP/1.1. */
export async function judgeHttp1(port: number, bytes: Buffer): Promise<Verdict> {
  const answer = (await exchange(port, bytes, 150)).toString("latin1");
  if (answer === "") return { outcome: "closed" };
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1];
  if (status === undefined)
    return { outcome: "malformed", fault: `it answers ${answer.slice(0, 99)}` };
  const isServerFault = status === "500" || status === "502";
  const isLeak = /\n\s*at .+:\d+|node:internal|HPE_/.test(answer);
  const outcome = `HTTP ${status}`;
  return isServerFault || isLeak ? { outcome, fault: answer.slice(0, 300) } : { outcome };
}

/** Ends a connection without the state of waiting of which a machine has only so many. */
export function leave(socket: Socket): void {
  // Once the other side has ended, Node's reset would leave the descriptor open.
  if (socket.readableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** Collects what arrives until the server closes, or an answer has come and nothing more does. */
async function exchange(port: number, bytes: Uint8Array, ms: number): Promise<Buffer> {
  const socket = await connectRaw(port);
  const chunks: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  let timer = setTimeout(resolve, ms);
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    clearTimeout(timer);
    timer = setTimeout(resolve, 20);
  });
  socket.on("end", resolve).on("close", resolve);
  socket.write(bytes);
  await promise;
  clearTimeout(timer);
  leave(socket);
  return Buffer.concat(chunks);
}
