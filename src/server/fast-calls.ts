import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Message } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import {
  createDeadlineSignal,
  createMethodSerializationLookup,
  createMethodUrl,
  type Serialization,
} from "@connectrpc/connect/protocol";
import type { CallRules } from "../rpc/call-rules.ts";
import type { FrameStream } from "../rpc/frame-stream.ts";
import type { AddressResolver } from "./address.ts";
import { happens } from "./answer-writer.ts";
import { type Admission, type AdmissionOptions, admitCall, clientLeft } from "./call-admission.ts";
import { boundTimeout } from "./call-deadline.ts";
import type { EdgeLimits } from "./edge-limits.ts";
import { createFastAnswer, type FastAnswer } from "./fast-answer.ts";
import { type FastProtocol, fastProtocolOf } from "./fast-protocol.ts";
import { parseRequest, readRequest } from "./fast-request.ts";
import { leaveStreamUnread } from "./leave-unread.ts";
import type { Log } from "./log.ts";
import { headerBytes, isAuthority } from "./request-target.ts";
import { untilAborted } from "./until-aborted.ts";

/** The RPCs that can be served without Connect's adapter, and the rules that hold for all. */
export interface DirectCalls {
  readonly streams: readonly FrameStream[];
  readonly rules: Pick<CallRules, "run">;
}

/** What {@link createFastCalls} needs. */
export interface FastCallsOptions extends AdmissionOptions, DirectCalls {
  readonly addresses: AddressResolver;
  readonly limits: EdgeLimits;
  readonly log: Log;
}

/** Takes on a stream of HTTP/2 and answers it; false: it is for somebody else. */
export type TakeStream = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
) => boolean;

interface Route {
  readonly served: FrameStream;
  readonly requests: Serialization<Message>;
}

interface FastCall extends Route {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly protocol: FastProtocol;
  readonly answer: FastAnswer;
  readonly clientAddress: string;
  readonly controller: AbortController;
}

/**
 * Serves RPCs on the core API of HTTP/2, without Connect's adapter.
 *
 * It takes on gRPC and Connect with uncompressed binary messages, and answers them as the adapter
 * does, except that nothing is compressed, since streams share their bytes. Whatever else a client
 * sends, well-formed or not, it leaves to the adapter.
 */
export function createFastCalls(options: FastCallsOptions): TakeStream {
  const { streams, addresses, limits, log } = options;
  const routes = new Map(
    streams.map((served) => [createMethodUrl("/", served.method), route(served)]),
  );

  function route(served: FrameStream): Route {
    const { messageBytesMax: readMaxBytes, answerBytesMax: writeMaxBytes } = limits;
    const bounds = { readMaxBytes, writeMaxBytes };
    const lookup = createMethodSerializationLookup(served.method, undefined, undefined, bounds);
    return { served, requests: lookup.getI(true) };
  }

  return (stream, headers, rawHeaders) => {
    const found = routes.get(headers[":path"] ?? "");
    const protocol = found && protocolOf(headers);
    if (found === undefined || protocol === undefined) return false;
    if (headerBytes(rawHeaders) > limits.headerBytesMax) return false;
    const socketAddress = stream.session?.socket.remoteAddress;
    const clientAddress = addresses.clientAddress(socketAddress, headers);
    const admission = admitCall(options, found.served.method.methodKind, clientAddress);
    const answer = createFastAnswer(stream, protocol);
    const { controller } = admission;
    // Without a listener, an error of a client that left would end the process.
    stream.on("error", () => undefined);
    const leave = (): void => controller.abort(clientLeft());
    stream.once("close", leave);
    if (stream.destroyed) leave();
    const call = { ...found, stream, headers, protocol, answer, clientAddress, controller };
    answerCall(options, call, admission)
      .catch((err: unknown) => {
        log.debug({ method: found.served.method.name, err }, "call was not answered");
        stream.destroy();
      })
      .finally(() => {
        stream.off("close", leave);
        admission.release();
      });
    return true;
  };
}

/** Finds the protocol of a call that can be served here. */
function protocolOf(headers: IncomingHttpHeaders): FastProtocol | undefined {
  const { ":method": method, ":authority": authority, expect } = headers;
  if (method !== "POST" || expect !== undefined) return undefined;
  if (authority === undefined || !isAuthority(authority)) return undefined;
  const protocol = fastProtocolOf(headers["content-type"]);
  const encoding = protocol && headers[protocol.encodingHeader];
  return encoding === undefined || encoding === "identity" ? protocol : undefined;
}

async function answerCall(
  options: FastCallsOptions,
  call: FastCall,
  { refused }: Admission,
): Promise<void> {
  const { stream, answer } = call;
  const { limits } = options;
  const error = refused ?? (await serve(options, call));
  if (stream.destroyed) return;
  answer.end(error);
  await happens(stream, "finish", limits.answerStallMsMax);
  leaveStreamUnread(stream, limits.lingerMsMax);
}

/** Serves the call to its end; returns the error that ended it, if any. */
async function serve(
  { rules, limits }: FastCallsOptions,
  call: FastCall,
): Promise<ConnectError | undefined> {
  const { stream, headers, served, protocol, controller, clientAddress, answer } = call;
  const { signal } = controller;
  const { method } = served;
  const body = await readRequest(stream, limits);
  if (stream.destroyed) return undefined;
  const timeout = timeoutOf(call, limits);
  const deadline = startDeadline(timeout.timeoutMs, controller);
  const read = async () => {
    if (timeout.error) throw timeout.error;
    return await parseRequest(body, protocol, call.requests, limits.messageBytesMax);
  };
  const direct = {
    method,
    authorization: headers.authorization ?? null,
    requestId: textOf(headers["x-request-id"]) ?? null,
    clientAddress,
  };
  try {
    await rules.run(direct, async ({ caller, requestId }) => {
      const request = await untilAborted(signal, read());
      answer.setHeader("x-request-id", requestId);
      const context = { caller, clientAddress, signal };
      await untilAborted(signal, served.serve(request, context, answer));
    });
    return undefined;
  } catch (error) {
    return ConnectError.from(error);
  } finally {
    deadline.stop();
  }
}

function timeoutOf({ headers, served, protocol }: FastCall, bounds: EdgeLimits) {
  const asked = textOf(headers[protocol.timeoutHeader]) ?? null;
  const isGrpc = protocol.name === "grpc";
  const text = boundTimeout(asked, { isGrpc, kind: served.method.methodKind, bounds });
  return protocol.parseTimeout(text, Number.MAX_SAFE_INTEGER);
}

/** Ends the call when its time is over; a call without a deadline costs nothing. */
function startDeadline(ms: number | undefined, controller: AbortController) {
  if (ms === undefined) return { stop: () => undefined };
  const { signal, cleanup } = createDeadlineSignal(ms);
  const expire = (): void => controller.abort(signal.reason);
  if (signal.aborted) expire();
  else signal.addEventListener("abort", expire, { once: true });
  return { stop: cleanup };
}

function textOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.join(", ");
}
