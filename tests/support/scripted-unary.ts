import { setTimeout as sleep } from "node:timers/promises";
import type { HandlerContext, Interceptor } from "@connectrpc/connect";
import { pino } from "pino";
import { AuthService } from "../../gen/signet/v1/auth_service_pb.ts";
import { Failure, invalidField, type Reason } from "../../src/model/failure.ts";
import { createCallRules } from "../../src/rpc/call-rules.ts";
import { failureToConnectError } from "../../src/rpc/errors.ts";
import { servedService } from "../../src/rpc/served-service.ts";
import type { EdgeLimits } from "../../src/server/edge-limits.ts";
import { createReadiness } from "../../src/server/readiness.ts";
import { createServer } from "../../src/server/server.ts";
import { scriptedGate } from "./scripted-gate.ts";

/** What ValidateToken does in these tests: the request says it, as JSON in its `token`. */
export interface UnaryScript {
  /** Text in the answer, so that answers can be large. */
  readonly text?: number;
  /** Headers and trailers that the handler sets. */
  readonly header?: Readonly<Record<string, string>>;
  readonly trailer?: Readonly<Record<string, string>>;
  /** The answer tells what the handler was told of the call. */
  readonly echo?: boolean;
  /** How the call ends; by default well. */
  readonly end?: Reason | "bad_field" | "large_detail" | "bug" | "abort_error" | "never";
}

/** A server whose handler follows scripts, so that the bytes of two servers can be compared. */
export interface ScriptedUnary extends AsyncDisposable {
  readonly port: number;
  /** The lines of the log about calls. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  /** How many calls have come through Connect's adapter. */
  adapterCalls(): number;
  /** Calls that the handler has begun and not ended. */
  open(): number;
  /** Why the signals of calls were aborted. */
  readonly aborts: readonly string[];
  drain(graceMs: number): Promise<void>;
}

/** Starts a server; without `direct` Connect's adapter serves everything. */
export async function startScriptedUnary(options: {
  readonly direct: boolean;
  readonly limits?: Partial<EdgeLimits>;
}): Promise<ScriptedUnary> {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: "info" }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const counts = { adapter: 0, open: 0 };
  const aborts: string[] = [];
  const rules = createCallRules({ log, gate: scriptedGate(AuthService), isStarted: () => true });
  const served = servedService(AuthService, {
    async validateToken({ token }, context) {
      counts.open += 1;
      context.signal.addEventListener("abort", () => aborts.push(String(context.signal.reason)));
      try {
        return await play(JSON.parse(token || "{}") as UnaryScript, context);
      } finally {
        counts.open -= 1;
      }
    },
  });
  const countCalls: Interceptor = (next) => (request) => {
    counts.adapter += 1;
    return next(request);
  };
  const server = createServer({
    config: { host: "127.0.0.1", port: 0, limits: options.limits ?? {} },
    routes: served.register,
    interceptors: [countCalls, ...rules.interceptors],
    ...(options.direct && { direct: { rules, streams: [], unary: served.unary } }),
    browsers: { admits: () => true, knowsOrigin: async () => false },
    readiness: createReadiness([]),
    wellKnown: { jwks: async () => undefined, issuer: async () => undefined },
    refusal: failureToConnectError,
    log,
  });
  const { port } = await server.listen();
  return {
    port,
    lines,
    aborts,
    adapterCalls: () => counts.adapter,
    open: () => counts.open,
    drain: (graceMs) => server.drain(graceMs),
    [Symbol.asyncDispose]: () => server.drain(0),
  };
}

async function play(script: UnaryScript, context: HandlerContext) {
  for (const [name, value] of Object.entries(script.header ?? {})) {
    context.responseHeader.append(name, value);
  }
  for (const [name, value] of Object.entries(script.trailer ?? {})) {
    context.responseTrailer.append(name, value);
  }
  await end(script, context);
  const tokenId = script.echo ? told(context) : "é".repeat(script.text ?? 0);
  return { result: { case: "valid", value: { tokenId } } } as const;
}

/** What a handler may go by, without what differs from call to call. */
function told(context: HandlerContext): string {
  const { method, service, requestMethod, url, protocolName, requestHeader } = context;
  const timeLeft = context.timeoutMs();
  const headers = [...requestHeader].filter(([name]) => !name.endsWith("timeout-ms"));
  return JSON.stringify({
    method: method.name,
    service: service.typeName,
    requestMethod,
    url: url.replace(/:\d+\//, "/"),
    protocolName,
    headers: headers.filter(([name]) => name !== "grpc-timeout" && name !== "host").sort(),
    hasTime: timeLeft !== undefined && timeLeft > 0 && timeLeft <= 60_000,
  });
}

async function end({ end: how }: UnaryScript, { signal }: HandlerContext): Promise<void> {
  switch (how) {
    case undefined:
      return;
    case "never":
      return await sleep(60_000, undefined, { signal, ref: false });
    case "bug":
      throw new TypeError("a planted bug");
    case "abort_error":
      return await sleep(60_000, undefined, { signal: AbortSignal.abort() });
    case "bad_field":
      throw invalidField("filter.kinds", "must hold kinds of Changes: ü, % and 🔑");
    case "large_detail":
      throw new Failure("invalid_field", { field: "a", problem: "x".repeat(2_000) });
    default:
      throw new Failure(how, { oldest_position: "7" }, { retryDelayMs: 1_234 });
  }
}
