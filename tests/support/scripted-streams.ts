import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { pino } from "pino";
import {
  SyncService,
  type WatchUsersResponse,
  WatchUsersResponseSchema,
} from "../../gen/signet/v1/sync_service_pb.ts";
import { Failure, invalidField, type Reason } from "../../src/model/failure.ts";
import { createCallRules } from "../../src/rpc/call-rules.ts";
import { failureToConnectError } from "../../src/rpc/errors.ts";
import { type FrameSink, type SharedFrame, sharedFrame } from "../../src/rpc/frame-sink.ts";
import type { FrameStream } from "../../src/rpc/frame-stream.ts";
import type { EdgeLimits } from "../../src/server/edge-limits.ts";
import { createReadiness } from "../../src/server/readiness.ts";
import { createServer } from "../../src/server/server.ts";
import { scriptedGate } from "./scripted-gate.ts";

/** What WatchUsers does in these tests: the request says it, as JSON in its `cursor`. */
export interface Script {
  readonly frames?: number;
  /** Text in each frame, so that frames can be large. */
  readonly bytes?: number;
  /** How the stream ends after its frames; by default well. */
  readonly end?: Reason | "bad_field" | "bug" | "abort_error" | "never";
}

/** A server whose streams follow scripts, so that the bytes of two servers can be compared. */
export interface ScriptedServer extends AsyncDisposable {
  readonly port: number;
  /** The lines of the log about calls. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  /** How many calls have come through Connect's adapter. */
  adapterCalls(): number;
  /** Streams that have not ended yet. */
  open(): number;
  /** Frames that were written without Connect's adapter. */
  written(): number;
  drain(graceMs: number): Promise<void>;
}

/** What the scripts of both kinds of server know. */
interface Counts {
  adapter: number;
  open: number;
  written: number;
}

/** Starts a server; without `direct` Connect's adapter serves everything. */
export async function startScripted(options: {
  readonly direct: boolean;
  readonly limits?: Partial<EdgeLimits>;
}): Promise<ScriptedServer> {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: "info" }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const counts: Counts = { adapter: 0, open: 0, written: 0 };
  const rules = createCallRules({ log, gate: scriptedGate(SyncService), isStarted: () => true });
  const server = createServer({
    config: { host: "127.0.0.1", port: 0, limits: options.limits ?? {} },
    routes: (router) =>
      router.service(SyncService, { watchUsers: ({ cursor }) => playToAdapter(cursor, counts) }),
    interceptors: [countCalls(counts), ...rules.interceptors],
    ...(options.direct && { direct: { rules, streams: [scriptedStream(counts)], unary: [] } }),
    readiness: createReadiness([]),
    wellKnown: { jwks: async () => undefined, issuer: async () => undefined },
    refusal: failureToConnectError,
    log,
  });
  const { port } = await server.listen();
  return {
    port,
    lines,
    adapterCalls: () => counts.adapter,
    open: () => counts.open,
    written: () => counts.written,
    drain: (graceMs) => server.drain(graceMs),
    [Symbol.asyncDispose]: () => server.drain(0),
  };
}

function countCalls(counts: Counts): Interceptor {
  return (next) => (request) => {
    counts.adapter += 1;
    return next(request);
  };
}

function scriptedStream(counts: Counts): FrameStream<typeof SyncService.method.watchUsers.input> {
  return {
    method: SyncService.method.watchUsers,
    async serve({ cursor }, { signal }, sink) {
      counts.open += 1;
      const ended = new Promise<never>((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
      ended.catch(() => undefined); // The signal may come after the end.
      try {
        await Promise.race([ended, playTo(sink, JSON.parse(cursor) as Script, counts)]);
      } finally {
        counts.open -= 1;
      }
    },
  };
}

async function playTo(sink: FrameSink, script: Script, counts: Counts): Promise<void> {
  for (const frame of framesOf(script)) {
    counts.written += 1;
    if (!sink.write(frame)) await sink.drained();
  }
  await end(script);
}

async function* playToAdapter(cursor: string, counts: Counts): AsyncGenerator<WatchUsersResponse> {
  counts.open += 1;
  try {
    const script = JSON.parse(cursor) as Script;
    for (const { message } of framesOf(script)) yield message;
    await end(script);
  } finally {
    counts.open -= 1;
  }
}

function* framesOf({ frames = 0, bytes = 10 }: Script): Generator<SharedFrame> {
  for (let n = 0; n < frames; n += 1) {
    const value = { cursor: `${n}`.padEnd(bytes, "é"), position: BigInt(n) };
    const frame = { case: "checkpoint", value } as const;
    yield sharedFrame(WatchUsersResponseSchema, create(WatchUsersResponseSchema, { frame }));
  }
}

async function end({ end: how }: Script): Promise<void> {
  switch (how) {
    case undefined:
      return;
    case "never":
      return await new Promise<never>(() => {});
    case "bug":
      throw new TypeError("a planted bug");
    case "abort_error":
      return await sleep(60_000, undefined, { signal: AbortSignal.abort() });
    case "bad_field":
      throw invalidField("filter.kinds", "must hold kinds of Changes: ü, % and 🔑");
    default:
      throw new Failure(how, { oldest_position: "7" }, { retryDelayMs: 1_234 });
  }
}
