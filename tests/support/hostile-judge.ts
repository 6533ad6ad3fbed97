import { Code } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";
import type { HostileAnswer, HostileRequest } from "./hostile-sender.ts";

/** What is to be said of an answer. */
export interface Verdict {
  /** How the input was answered, for the tally. */
  readonly outcome: string;
  /** What is wrong with it; undefined: nothing. */
  readonly fault?: string;
}

/** No input of a client's is the server's fault. */
const SERVER_FAULTS: ReadonlySet<number> = new Set([Code.Internal, Code.Unknown, Code.DataLoss]);

/** Answers that tell what somebody has stored, whatever that says. */
const TELLS_DATA: ReadonlySet<string> = new Set(["ok", "open"]);

/** Words of a driver, an engine or a stack that no client has to see. */
const LEAKS: readonly RegExp[] = [
  /\n\s*at .+:\d+/,
  /node_modules|node:internal|\.ts:\d+|file:\/\/\S+\.[jt]s/,
  /TypeError|RangeError|ReferenceError|SyntaxError|Cannot read prop|is not a function/,
  /violates|duplicate key|relation "|syntax error at|invalid byte sequence|invalid input syntax/,
  /ECONN|EPIPE|ERR_[A-Z]+|incorrect header check|Z_DATA_ERROR/,
];

/** Judges the answer to an RPC by the rules of its protocol. */
export function judgeCall(request: HostileRequest, answer: HostileAnswer): Verdict {
  const verdict = judgeEnd(request, answer) ?? judgeProtocol(answer);
  return verdict.fault === undefined ? withoutLeak(answer, verdict) : withText(answer, verdict);
}

/** Judges the answer of an endpoint, which is no RPC. */
export function judgeEndpoint(request: HostileRequest, answer: HostileAnswer): Verdict {
  const verdict = judgeEnd(request, answer) ?? judgeHttp(answer, request.method === "HEAD");
  return verdict.fault === undefined ? withoutLeak(answer, verdict) : withText(answer, verdict);
}

function withText({ headers, body }: HostileAnswer, { outcome, fault: text }: Verdict): Verdict {
  const told = headers["grpc-message"] ?? body.subarray(0, 200).toString();
  return { outcome, fault: `${text}: ${told}` };
}

/** What HTTP itself, or Node's parser before any code of the server, answers without a body. */
const BARE: ReadonlySet<number> = new Set([405, 415, 431, 505]);

function judgeEnd(request: HostileRequest, { end }: HostileAnswer): Verdict | undefined {
  const { mayStayOpen, mayBeCut } = request;
  if (end === "cut" && mayBeCut) return { outcome: end };
  if (end === "silent") return { outcome: end, fault: "no answer came" };
  if (end === "cut") return { outcome: end, fault: "the answer was cut off" };
  return end === "open" && mayStayOpen ? { outcome: end } : undefined;
}

function judgeProtocol(answer: HostileAnswer): Verdict {
  const type = answer.headers["content-type"] ?? "";
  if (type.startsWith("application/grpc-web")) return judgeGrpcWeb(answer);
  if (type.startsWith("application/grpc")) return judgeGrpc(answer.headers);
  if (type.startsWith("application/connect+")) return judgeConnectStream(answer);
  return judgeConnect(answer);
}

function judgeGrpc(headers: Readonly<Record<string, string>>): Verdict {
  const text = headers["grpc-status"] ?? "none";
  const isCode = /^(\d|1[0-6])$/.test(text);
  return isCode ? judgeCode(Number(text)) : fault(`grpc-status is ${text}`);
}

/** The trailers come in an envelope of their own, unless they are all there is. */
function judgeGrpcWeb({ headers, body }: HostileAnswer): Verdict {
  if (headers["grpc-status"] !== undefined) return judgeGrpc(headers);
  const last = lastEnvelope(body, 0x80);
  const status = /^grpc-status: ?(\d+)\r?$/im.exec(String(last))?.[1];
  return judgeGrpc(status === undefined ? {} : { "grpc-status": status });
}

function judgeConnectStream({ body }: HostileAnswer): Verdict {
  const last = lastEnvelope(body, 0x02);
  if (last === undefined) return fault("the stream has no end");
  const { error } = parsed(last) ?? {};
  return error === undefined ? { outcome: "ok" } : judgeConnectError(error);
}

function judgeConnect(answer: HostileAnswer): Verdict {
  if (answer.status === 200) return { outcome: "ok" };
  const json = parsed(answer.body);
  if (json?.code !== undefined) return judgeConnectError(json);
  return judgeHttp(answer, false);
}

function judgeConnectError(error: unknown): Verdict {
  const { code } = error as { readonly code?: unknown };
  const known = typeof code === "string" ? codeFromString(code) : undefined;
  return known === undefined ? fault(`code is ${String(code)}`) : judgeCode(known);
}

function judgeCode(code: number): Verdict {
  const outcome = code === 0 ? "ok" : (Code[code] ?? `${code}`);
  return SERVER_FAULTS.has(code) ? { outcome, fault: `the code is ${outcome}` } : { outcome };
}

function judgeHttp({ status, headers, body }: HostileAnswer, isHead: boolean): Verdict {
  const outcome = `HTTP ${status}`;
  if (BARE.has(status)) return { outcome };
  if (status >= 500 && status !== 501) return { outcome, fault: outcome };
  const isJson = headers["content-type"]?.includes("json") === true;
  if (body.length > 0 && isJson && parsed(body) === undefined)
    return fault("the JSON is malformed");
  const isExplained = status < 400 || isHead || typeof parsed(body)?.error === "string";
  return isExplained ? { outcome } : fault(`${outcome} without a reason`);
}

function withoutLeak({ headers, body }: HostileAnswer, verdict: Verdict): Verdict {
  const details = headers["grpc-status-details-bin"] ?? "";
  const told = [
    ...Object.values(headers),
    decoded(headers["grpc-message"] ?? ""),
    Buffer.from(details, "base64").toString("latin1"),
    body.toString("latin1"),
  ].join("\n");
  const leak = TELLS_DATA.has(verdict.outcome) ? undefined : LEAKS.find((one) => one.test(told));
  return leak ? { ...verdict, fault: `it tells ${leak.exec(told)?.[0]}` } : verdict;
}

function lastEnvelope(body: Buffer, flag: number): Buffer | undefined {
  let at = 0;
  while (at + 5 <= body.length) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    if ((body.readUInt8(at) & flag) !== 0 && end === body.length) return body.subarray(at + 5, end);
    at = end;
  }
  return undefined;
}

function parsed(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function fault(text: string): Verdict {
  return { outcome: "malformed", fault: text };
}
