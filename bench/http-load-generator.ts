import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { answerParent } from "./child-process.ts";
import type { LoadResult } from "./load-generator.ts";

/** A load of one request over HTTP/1.1, always the same bytes. */
export interface HttpLoad {
  readonly port: number;
  /** The request line and headers, with the empty line behind them. */
  readonly request: string;
  /** Requests under way at any time, each on a connection that is kept. */
  readonly connections: number;
  /** How long the load runs before requests are counted. */
  readonly warmUpMs: number;
  readonly ms: number;
}

const CALLS_MAX = 2_000_000;
const SILENCE_MS_MAX = 10_000;
const HEAD_END = Buffer.from("\r\n\r\n");

answerParent(applyLoad);

/**
 * Keeps one request under way on each connection, on sockets alone: a client of Node would have as
 * much to do as the servers.
 *
 * @throws if an answer is not 200 or a connection ends.
 */
async function applyLoad(load: HttpLoad): Promise<LoadResult> {
  const sockets = await Promise.all(Array.from({ length: load.connections }, () => open(load)));
  const callMs: number[] = [];
  const state = { counting: false, ending: false };
  const slots = sockets.map(async (socket) => {
    const ask = createAsker(socket, load.request);
    while (!state.ending) {
      const beginMs = performance.now();
      await ask();
      if (state.counting && callMs.length < CALLS_MAX) callMs.push(performance.now() - beginMs);
    }
  });
  const measured = async (): Promise<LoadResult> => {
    await sleep(load.warmUpMs);
    state.counting = true;
    const beginMs = performance.now();
    await sleep(load.ms);
    state.counting = false;
    state.ending = true;
    return { callMs: Float64Array.from(callMs), ms: performance.now() - beginMs };
  };
  try {
    const [result] = await Promise.all([measured(), ...slots]);
    return result;
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

async function open({ port }: HttpLoad): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  socket.setTimeout(SILENCE_MS_MAX, () => socket.destroy(new Error("the server is silent")));
  return socket;
}

/** Returns what makes one request and waits for the whole of its answer. */
function createAsker(socket: Socket, request: string): () => Promise<void> {
  let received: Buffer = Buffer.alloc(0);
  let waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void };
  socket.on("data", (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const length = answerLength(received);
    if (length === undefined || received.length < length) return;
    const isRight = received.length === length && received.toString("latin1", 9, 12) === "200";
    const answer = received;
    received = Buffer.alloc(0);
    if (isRight) waiting.resolve();
    else waiting.reject(new Error(`not the answer: ${answer.toString("latin1", 0, 100)}`));
  });
  socket.on("error", (error) => waiting?.reject(error));
  socket.on("close", () => waiting?.reject(new Error("the connection has ended")));
  return () =>
    new Promise((resolve, reject) => {
      waiting = { resolve, reject };
      socket.write(request);
    });
}

/** Returns how long the answer will be; undefined: its headers have not all come. */
function answerLength(bytes: Buffer): number | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const head = bytes.toString("latin1", 0, end);
  return end + HEAD_END.length + Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
}
