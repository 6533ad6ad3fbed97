import type { ServerHttp2Stream } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type Compression,
  compressionNegotiate,
  createMethodSerializationLookup,
} from "@connectrpc/connect/protocol";
import { encodedAnswer } from "../rpc/encoded-answer.ts";
import type { UnaryCall } from "../rpc/unary-call.ts";
import { type Admission, clientLeft } from "./call-admission.ts";
import type { EdgeLimits } from "./edge-limits.ts";
import {
  createDeadlines,
  directCall,
  type FastCall,
  type FastCallOptions,
  requestIdOfCall,
  textOf,
  timeoutOf,
} from "./fast-call.ts";
import { createFastContext } from "./fast-context.ts";
import { createRequestReader } from "./fast-request.ts";
import type { UnaryAnswer, UnaryProtocol } from "./fast-unary-protocol.ts";
import { leaveStreamUnread } from "./leave-unread.ts";
import { MESSAGE_COMPRESSIONS } from "./message-compression.ts";
import { createTimeouts } from "./timeouts.ts";
import { blameSender } from "./unreadable-message.ts";

/** What {@link unaryServer} needs. */
export interface UnaryServerOptions extends FastCallOptions {
  /** Whether answers of the RPC may differ from page to page, which caches have to know. */
  readonly variesByOrigin: boolean;
}

/** Returns what serves the calls of a unary RPC. */
export function unaryServer(options: UnaryServerOptions, served: UnaryCall) {
  const { rules, limits, variesByOrigin } = options;
  const { messageBytesMax: readMaxBytes, answerBytesMax: writeMaxBytes } = limits;
  const bounds = { readMaxBytes, writeMaxBytes };
  const messages = createMethodSerializationLookup(served.method, undefined, undefined, bounds);
  const [requests, answers] = [messages.getI(true), messages.getO(true)];
  const readRequest = createRequestReader(limits);
  const startDeadline = createDeadlines(limits);
  const endAnswer = createAnswerEnd(limits);

  async function serve(
    call: FastCall,
    protocol: UnaryProtocol,
    { set }: UnaryAnswer,
    requestId: string,
  ): Promise<Uint8Array> {
    const { stream, admission } = call;
    const { controller } = admission;
    const body = await readRequest(stream, protocol);
    if (stream.destroyed) throw clientLeft();
    const timeout = timeoutOf(call, protocol, limits);
    if (timeout.error) throw timeout.error;
    const stopDeadline = startDeadline(timeout.timeoutMs, controller);
    try {
      const request = await protocol.parse(body, requests, readMaxBytes, call.headers);
      const direct = directCall(call, requestId, request);
      const { timeoutMs } = timeout;
      const context = createFastContext(call, protocol.name, direct.values, { timeoutMs, set });
      const message = await rules.run(direct, () =>
        controller.race(served.serve(request, context)),
      );
      return encodedAnswer(message) ?? answers.serialize(message);
    } finally {
      stopDeadline();
    }
  }

  return async (call: FastCall, protocol: UnaryProtocol): Promise<void> => {
    const { stream, headers: sent, admission } = call;
    const accepted = textOf(sent[protocol.acceptHeader]) ?? null;
    const compression = accepted === null ? null : compressionFor(accepted);
    const requestId = requestIdOfCall(call);
    const headers: Record<string, string> = { "x-request-id": requestId };
    if (variesByOrigin) headers.vary = "Origin";
    const answer: UnaryAnswer = { stream, headers, set: {}, compression };
    let body: Uint8Array;
    try {
      if (admission.refused) throw admission.refused;
      const message = await serve(call, protocol, answer, requestId);
      if (stream.destroyed) return;
      body = await protocol.succeed(answer, message);
    } catch (error) {
      if (stream.destroyed) return;
      body = await protocol.fail(answer, toWireError(error));
    }
    admission.controller.end();
    endAnswer(stream, body, admission);
  };
}

function compressionFor(accepted: string): Compression | null {
  return compressionNegotiate(MESSAGE_COMPRESSIONS, null, accepted, "").response;
}

/** Creates what ends an answer; it cuts a client off that reads nothing of it for too long. */
function createAnswerEnd({ answerStallMsMax, lingerMsMax }: EdgeLimits) {
  const stalls = createTimeouts(answerStallMsMax);
  return (stream: ServerHttp2Stream, body: Uint8Array, { release }: Admission): void => {
    const stall = stalls.start(() => stream.destroy());
    const settle = (): void => {
      stalls.stop(stall);
      release();
      leaveStreamUnread(stream, lingerMsMax);
    };
    if (body.length === 0) stream.end(settle);
    else stream.end(body, settle);
  };
}

/** The rules of all calls have told of it already; here as in Connect's adapter. */
function toWireError(error: unknown): ConnectError {
  blameSender(error);
  return error instanceof ConnectError ? error : new ConnectError("internal error", Code.Internal);
}
