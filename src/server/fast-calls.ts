import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { DescMethod } from "@bufbuild/protobuf";
import { createMethodUrl } from "@connectrpc/connect/protocol";
import type { CallRules } from "../rpc/call-rules.ts";
import type { FrameStream } from "../rpc/frame-stream.ts";
import type { UnaryCall } from "../rpc/unary-call.ts";
import type { AddressResolver } from "./address.ts";
import { type AdmissionOptions, admitCall, clientLeft } from "./call-admission.ts";
import type { BrowserRules } from "./cors.ts";
import type { EdgeLimits } from "./edge-limits.ts";
import type { FastCall } from "./fast-call.ts";
import { type FastProtocol, streamProtocolOf } from "./fast-protocol.ts";
import { streamServer } from "./fast-stream.ts";
import { unaryServer } from "./fast-unary.ts";
import { unaryProtocolOf } from "./fast-unary-protocol.ts";
import type { Log } from "./log.ts";
import { headerBytes, isAuthority } from "./request-target.ts";

/** The RPCs that can be served without Connect's adapter, and the rules that hold for all. */
export interface DirectCalls {
  readonly streams: readonly FrameStream[];
  readonly unary: readonly UnaryCall[];
  readonly rules: Pick<CallRules, "run">;
}

/** What {@link createFastCalls} needs. */
export interface FastCallsOptions extends AdmissionOptions, DirectCalls {
  readonly addresses: AddressResolver;
  readonly browsers: BrowserRules;
  readonly limits: EdgeLimits;
  readonly log: Log;
}

/** Takes on a stream of HTTP/2 and answers it; false: it is for somebody else. */
export type TakeStream = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
  socketAddress: string | undefined,
) => boolean;

/** What serves a call to its end, if it is of a protocol that can be served here. */
interface Route {
  readonly method: DescMethod;
  accept(headers: IncomingHttpHeaders): ((call: FastCall) => Promise<void>) | undefined;
}

/**
 * Serves RPCs on the core API of HTTP/2, without Connect's adapter.
 *
 * It takes on gRPC and Connect with uncompressed binary messages, and answers them as the adapter
 * does, except that streams are not compressed, since they share their bytes. Whatever else a
 * client sends, well-formed or not, it leaves to the adapter; and what a page of another origin
 * sends, which is answered with headers for its browser.
 */
export function createFastCalls(options: FastCallsOptions): TakeStream {
  const { addresses, limits, log } = options;
  const isPlainPost = createPlainPostCheck();
  const routes = new Map(
    [...options.streams.map(streamRoute), ...options.unary.map(unaryRoute)].map((route) => [
      createMethodUrl("/", route.method),
      route,
    ]),
  );

  function streamRoute(served: FrameStream): Route {
    return route(served.method, streamProtocolOf, streamServer(options, served));
  }

  function unaryRoute(served: UnaryCall): Route {
    const variesByOrigin = options.browsers.admits(served.method);
    const serve = unaryServer({ ...options, variesByOrigin }, served);
    return route(served.method, unaryProtocolOf, serve);
  }

  return (stream, headers, rawHeaders, socketAddress) => {
    const found = routes.get(headers[":path"] ?? "");
    if (found === undefined || !isPlainPost(headers)) return false;
    const serve = found.accept(headers);
    if (serve === undefined) return false;
    if (headerBytes(rawHeaders) > limits.headerBytesMax) return false;
    const { method } = found;
    const clientAddress = addresses.clientAddress(socketAddress, headers);
    const admission = admitCall(options, method.methodKind, clientAddress);
    // Without a listener, an error of a client that left would end the process.
    stream.on("error", ignore);
    const leave = (): void => {
      admission.controller.abort(clientLeft);
      admission.release();
    };
    stream.on("close", leave);
    if (stream.destroyed) leave();
    serve({ method, stream, headers, clientAddress, admission }).catch((err: unknown) => {
      log.debug({ method: method.name, err }, "call was not answered");
      stream.destroy();
    });
    return true;
  };
}

function ignore(): void {}

function route<Protocol extends FastProtocol>(
  method: DescMethod,
  protocolOf: (contentType: string) => Protocol | undefined,
  serve: (call: FastCall, protocol: Protocol) => Promise<void>,
): Route {
  return {
    method,
    accept(headers) {
      const protocol = protocolOf(headers["content-type"] ?? "");
      if (protocol === undefined) return undefined;
      const encoding = headers[protocol.encodingHeader];
      if (encoding !== undefined && encoding !== "identity") return undefined;
      return (call) => serve(call, protocol);
    },
  };
}

/** Returns what tells a plain POST; clients name the same authority again and again. */
function createPlainPostCheck(): (headers: IncomingHttpHeaders) => boolean {
  let lastGood: string | undefined;
  return ({ ":method": method, ":authority": authority, expect, origin }) => {
    if (method !== "POST" || expect !== undefined || origin !== undefined) return false;
    if (authority === undefined) return false;
    if (authority !== lastGood && !isAuthority(authority)) return false;
    lastGood = authority;
    return true;
  };
}
