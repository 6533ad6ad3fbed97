import type { ServerHttp2Stream } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  compressionNegotiate,
  createMethodSerializationLookup,
} from "@connectrpc/connect/protocol";
import type { UnaryCall } from "../rpc/unary-call.ts";
import { clientLeft } from "./call-admission.ts";
import {
  directCall,
  type FastCall,
  type FastCallOptions,
  startDeadline,
  textOf,
  timeoutOf,
} from "./fast-call.ts";
import { createFastContext } from "./fast-context.ts";
import { readRequest } from "./fast-request.ts";
import type { UnaryAnswer, UnaryProtocol } from "./fast-unary-protocol.ts";
import { leaveStreamUnread } from "./leave-unread.ts";
import { MESSAGE_COMPRESSIONS } from "./message-compression.ts";

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

  async function serve(
    call: FastCall,
    protocol: UnaryProtocol,
    { headers, set }: UnaryAnswer,
  ): Promise<Uint8Array> {
    const { stream, admission } = call;
    const { controller } = admission;
    const body = await readRequest(stream, limits, protocol);
    if (stream.destroyed) throw clientLeft();
    const timeout = timeoutOf(call, protocol, limits);
    if (timeout.error) throw timeout.error;
    const stopDeadline = startDeadline(timeout.timeoutMs, controller);
    try {
      const request = await protocol.parse(body, requests, readMaxBytes, call.headers);
      const direct = directCall(call, request);
      const context = createFastContext(call, protocol.name, direct.values, { ...timeout, set });
      const run = () => controller.race(served.serve(request, context));
      const done = await rules.run(direct, async (requestId) => ({
        requestId,
        answer: await run(),
      }));
      headers["x-request-id"] = done.requestId;
      return answers.serialize(done.answer);
    } finally {
      stopDeadline();
    }
  }

  return async (call: FastCall, protocol: UnaryProtocol): Promise<void> => {
    const { stream, headers: sent, admission } = call;
    const accepted = textOf(sent[protocol.acceptHeader]) ?? null;
    const { response: compression } = compressionNegotiate(
      MESSAGE_COMPRESSIONS,
      null,
      accepted,
      "",
    );
    const headers: Record<string, string> = variesByOrigin ? { vary: "Origin" } : {};
    const answer: UnaryAnswer = { stream, headers, set: {}, compression };
    let body: Uint8Array;
    try {
      if (admission.refused) throw admission.refused;
      const message = await serve(call, protocol, answer);
      if (stream.destroyed) return;
      body = await protocol.succeed(answer, message);
    } catch (error) {
      if (stream.destroyed) return;
      body = await protocol.fail(answer, toWireError(error));
    }
    admission.controller.end();
    await endStream(stream, body, limits.answerStallMsMax);
    leaveStreamUnread(stream, limits.lingerMsMax);
  };
}

/**
 * Ends an answer and waits until all of it is out.
 *
 * @throws {Error} if it is closed first, or the client reads nothing for `msMax`.
 */
function endStream(stream: ServerHttp2Stream, body: Uint8Array, msMax: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => stream.destroy(), msMax);
    const settle = (error?: Error | null): void => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve();
    };
    if (body.length === 0) stream.end(settle);
    else stream.end(body, settle);
  });
}

/** The rules of all calls have told of it already; here as in Connect's adapter. */
function toWireError(error: unknown): ConnectError {
  return error instanceof ConnectError ? error : new ConnectError("internal error", Code.Internal);
}
