import { once } from "node:events";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { answerParent } from "./child-process.ts";

/** A load of one kind of gRPC call, always with the same bytes. */
export interface Load {
  readonly url: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly authorization: string;
  /** The request with the envelope of gRPC. */
  readonly body: Uint8Array;
  /** How long the answer must be, with its envelope; undefined: it varies. */
  readonly answerBytes?: number;
  /** Whether a call may be refused for overload: it is not counted, and made again later. */
  readonly mayBeShed?: boolean;
  readonly connections: number;
  /** Calls under way on each connection at any time. */
  readonly streams: number;
  /** How long the load runs before calls are counted. */
  readonly warmUpMs: number;
  readonly ms: number;
}

/** What a load met with. */
export interface LoadResult {
  /** How long each call took that ended while calls were counted. */
  readonly callMs: Float64Array;
  /** How long calls were counted. */
  readonly ms: number;
}

const RESOURCE_EXHAUSTED = "8";
/** Calls counted; a bound on memory, far above what a round reaches. */
const CALLS_MAX = 2_000_000;
/** Between a call that was refused for overload and the next in its place. */
const SHED_PAUSE_MS = 20;
/** A connection on which nothing moves for so long ends, and its calls with it. */
const SILENCE_MS_MAX = 10_000;

answerParent(applyLoad);

/**
 * Keeps `streams` calls under way on each connection, each begun when another ends.
 *
 * It is HTTP/2 alone: no message is read or made, so that the server is the one with most to do.
 *
 * @throws if a call fails, has an answer of another length, or is refused and must not be.
 */
async function applyLoad(load: Load): Promise<LoadResult> {
  const sessions = await Promise.all(Array.from({ length: load.connections }, () => open(load)));
  const callMs: number[] = [];
  const state = { counting: false, ending: false };
  const onCall = (ms: number) => {
    if (state.counting && callMs.length < CALLS_MAX) callMs.push(ms);
  };
  const slots = sessions.flatMap((session) =>
    Array.from({ length: load.streams }, () => keepCalling(session, load, state, onCall)),
  );
  const ended = Promise.all(slots);
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
    // A failing slot ends the whole; slots do not end by themselves before `ending`.
    const [result] = await Promise.all([measured(), ended]);
    return result;
  } finally {
    for (const session of sessions) session.destroy();
  }
}

async function open({ url }: Load): Promise<ClientHttp2Session> {
  const session = connect(url);
  await once(session, "connect");
  session.setTimeout(SILENCE_MS_MAX, () => session.destroy(new Error("the server is silent")));
  // Its calls fail too and say so.
  session.on("error", () => {});
  return session;
}

async function keepCalling(
  session: ClientHttp2Session,
  load: Load,
  state: { readonly ending: boolean },
  onCall: (ms: number) => void,
): Promise<void> {
  while (!state.ending) {
    const beginMs = performance.now();
    if (await call(session, load)) onCall(performance.now() - beginMs);
    else await sleep(SHED_PAUSE_MS);
  }
}

/** Returns whether the call was answered; false: it was refused for overload. */
function call(session: ClientHttp2Session, load: Load): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": load.path,
      "content-type": "application/grpc+proto",
      te: "trailers",
      authorization: load.authorization,
    });
    let bytes = 0;
    let status: unknown = "missing";
    // Refusals come in the headers, without a body.
    stream.on("response", (headers) => {
      status = headers["grpc-status"] ?? status;
    });
    stream.on("trailers", (trailers) => {
      status = trailers["grpc-status"] ?? status;
    });
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    stream.on("error", reject);
    stream.on("close", () => {
      const isRightLength = load.answerBytes === undefined || bytes === load.answerBytes;
      const isClean = stream.rstCode === constants.NGHTTP2_NO_ERROR;
      if (status === "0" && isRightLength && isClean) resolve(true);
      else if (status === RESOURCE_EXHAUSTED && load.mayBeShed) resolve(false);
      else reject(new Error(`${load.url}: status ${status}, ${bytes} bytes, ${stream.rstCode}`));
    });
    stream.end(load.body);
  });
}
