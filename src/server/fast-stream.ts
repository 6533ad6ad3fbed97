import { ConnectError } from "@connectrpc/connect";
import { createMethodSerializationLookup } from "@connectrpc/connect/protocol";
import { callerOf } from "../rpc/authorize.ts";
import type { FrameStream } from "../rpc/frame-stream.ts";
import { happens } from "./answer-writer.ts";
import { createFastAnswer, type FastAnswer } from "./fast-answer.ts";
import {
  createDeadlines,
  directCall,
  type FastCall,
  type FastCallOptions,
  requestIdOfCall,
  timeoutOf,
} from "./fast-call.ts";
import type { StreamProtocol } from "./fast-protocol.ts";
import { createRequestReader } from "./fast-request.ts";
import { leaveStreamUnread } from "./leave-unread.ts";
import { blameSender } from "./unreadable-message.ts";
import { untilAborted } from "./until-aborted.ts";

/**
 * Returns what serves the calls of a server-streaming RPC. Nothing is compressed, since streams
 * share their bytes.
 */
export function streamServer(options: FastCallOptions, served: FrameStream) {
  const { limits } = options;
  const { messageBytesMax: readMaxBytes, answerBytesMax: writeMaxBytes } = limits;
  const bounds = { readMaxBytes, writeMaxBytes };
  const readRequest = createRequestReader(limits);
  const startDeadline = createDeadlines(limits);
  const requests = createMethodSerializationLookup(
    served.method,
    undefined,
    undefined,
    bounds,
  ).getI(true);

  /** Serves the call to its end; returns the error that ended it, if any. */
  async function serve(
    call: FastCall,
    protocol: StreamProtocol,
    answer: FastAnswer,
    requestId: string,
  ): Promise<ConnectError | undefined> {
    const { stream, clientAddress, admission } = call;
    const signal = admission.controller.signal();
    const body = await readRequest(stream, { isEnveloped: true });
    if (stream.destroyed) return undefined;
    const timeout = timeoutOf(call, protocol, limits);
    const stopDeadline = startDeadline(timeout.timeoutMs, admission.controller);
    const read = async () => {
      if (timeout.error) throw timeout.error;
      return await protocol.parse(body, requests, limits.messageBytesMax, call.headers);
    };
    const direct = directCall(call, requestId, {});
    try {
      await options.rules.run(direct, async () => {
        const request = await untilAborted(signal, read());
        const context = { caller: callerOf(direct.values), clientAddress, signal };
        await untilAborted(signal, served.serve(request, context, answer));
      });
      return undefined;
    } catch (error) {
      blameSender(error);
      return ConnectError.from(error);
    } finally {
      stopDeadline();
    }
  }

  return async (call: FastCall, protocol: StreamProtocol): Promise<void> => {
    const { stream, admission } = call;
    const answer = createFastAnswer(stream, protocol);
    const requestId = requestIdOfCall(call);
    answer.setHeader("x-request-id", requestId);
    const error = admission.refused ?? (await serve(call, protocol, answer, requestId));
    if (stream.destroyed) return;
    admission.controller.end();
    answer.end(error);
    const { answerStallMsMax, failureStallMsMax } = limits;
    await happens(stream, "finish", error ? failureStallMsMax : answerStallMsMax);
    admission.release();
    leaveStreamUnread(stream, limits.lingerMsMax);
  };
}
