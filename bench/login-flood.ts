import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { LoginRequestSchema } from "../gen/signet/v1/auth_service_pb.ts";
import { answerParent } from "./child-process.ts";
import { frame } from "./grpc-frame.ts";

/** Logins that arrive at a pace of their own, however slowly they are answered. */
export interface Flood {
  readonly url: string;
  readonly authorization: string;
  readonly perSecond: number;
  readonly ms: number;
}

/** What a flood met with. */
export interface FloodResult {
  /** How long each call took that was refused for lack of room. */
  readonly shedMs: Float64Array;
  /** Those whose password was checked. */
  readonly checked: number;
}

const CONNECTIONS = 8;
const TICK_MS = 5;
/** For lack of room in the line, or of a connection to the database. */
const REFUSED: readonly number[] = [Code.ResourceExhausted, Code.Unavailable];
/** Under way at any time, thrice what there is at the goal; further arrivals are left out. */
const CALLS_MAX = 500;
/** The flood goes on until one was refused, or for so long. */
const SHED_MS_MAX = 5_000;

answerParent(applyFlood);

/** Names somebody else with each call, as who goes through a list of addresses does. */
async function applyFlood(flood: Flood): Promise<FloodResult> {
  const sessions = await Promise.all(Array.from({ length: CONNECTIONS }, () => open(flood)));
  const shedMs: number[] = [];
  const underWay = new Set<Promise<void>>();
  let [checked, arrived] = [0, 0];

  async function attempt(session: ClientHttp2Session, number: number): Promise<void> {
    const beginMs = performance.now();
    const status = await login(session, flood, number);
    if (REFUSED.includes(status)) shedMs.push(performance.now() - beginMs);
    else if (status === Code.Unauthenticated) checked += 1;
    else throw new Error(`a login of the flood was answered with ${status}`);
  }

  try {
    const beginMs = performance.now();
    const lasts = (ms: number) => performance.now() - beginMs < ms;
    while (lasts(flood.ms) || (shedMs.length === 0 && lasts(SHED_MS_MAX))) {
      const due = ((performance.now() - beginMs) / 1_000) * flood.perSecond;
      for (; arrived < due; arrived += 1) {
        const session = sessions[arrived % CONNECTIONS];
        if (!session || underWay.size >= CALLS_MAX) continue;
        const call = attempt(session, arrived).finally(() => underWay.delete(call));
        underWay.add(call);
      }
      await Promise.race([sleep(TICK_MS), failureOf(underWay)]);
    }
    await Promise.all(underWay);
    return { shedMs: Float64Array.from(shedMs), checked };
  } finally {
    for (const session of sessions) session.destroy();
  }
}

/** Rejects as soon as one of the calls does. */
async function failureOf(calls: ReadonlySet<Promise<void>>): Promise<void> {
  await Promise.all(calls);
  await sleep(TICK_MS);
}

async function open({ url }: Flood): Promise<ClientHttp2Session> {
  const session = connect(url);
  await once(session, "connect");
  session.on("error", () => {}); // Its calls fail too and say so.
  return session;
}

/** Returns the status of gRPC. */
function login(session: ClientHttp2Session, flood: Flood, number: number): Promise<number> {
  const value = `nobody-${process.pid}-${performance.now()}-${number}@example.com`;
  const request = { identifier: { case: "email" as const, value }, password: "a wrong password" };
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/signet.v1.AuthService/Login",
      "content-type": "application/grpc+proto",
      te: "trailers",
      authorization: flood.authorization,
    });
    let status: unknown;
    // Refusals come in the headers, without a body.
    const read = (headers: Readonly<Record<string, unknown>>) => {
      status = headers["grpc-status"] ?? status;
    };
    stream.on("response", read).on("trailers", read).on("error", reject).resume();
    stream.on("close", () => resolve(Number(status)));
    stream.end(frame(toBinary(LoginRequestSchema, create(LoginRequestSchema, request))));
  });
}
