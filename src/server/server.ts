import type { AddressInfo } from "node:net";
import { Code, ConnectError, type ConnectRouter, type Interceptor } from "@connectrpc/connect";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import * as v1alpha from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import type { Failure } from "../model/failure.ts";
import type { AnswerProxy } from "../rpc/proxy-answer.ts";
import { createAddressResolver } from "./address.ts";
import { consoleEndpoints } from "./console-files.ts";
import { type BrowserRules, NO_BROWSERS } from "./cors.ts";
import { createDescriptorIndex, type DescriptorIndex } from "./descriptor-index.ts";
import { EDGE_LIMITS, type EdgeLimits } from "./edge-limits.ts";
import {
  createFastCalls,
  type DirectCalls,
  type FastCallsOptions,
  type TakeStream,
} from "./fast-calls.ts";
import { forwardAuthEndpoint } from "./forward-auth.ts";
import { healthService } from "./health.ts";
import { createHostedPages, type Pages } from "./hosted-pages.ts";
import { createEndpointHandler, type Endpoint } from "./http-endpoints.ts";
import { createListener, type TlsIdentity } from "./listener.ts";
import type { Log } from "./log.ts";
import { createOpenCalls } from "./open-calls.ts";
import { livenessEndpoint, readinessEndpoint } from "./probe-endpoints.ts";
import type { Readiness } from "./readiness.ts";
import { reflectionServices } from "./reflection.ts";
import { createRequestHandler } from "./request-handler.ts";
import { createRpcHandler } from "./rpc-handler.ts";
import { createDrain } from "./shutdown.ts";
import { strictTransportOf } from "./strict-transport.ts";
import { type WellKnown, wellKnownEndpoints } from "./well-known.ts";

/** Where and how a server listens. */
export interface ServerConfig {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly tls?: TlsIdentity | undefined;
  /** Addresses and CIDR blocks whose `x-forwarded-for` is believed; none by default. */
  readonly trustedProxies?: readonly string[];
  /** Where people reach Signet; with https, or with `tls`, browsers are told to stay with it. */
  readonly publicUrl?: string;
  /** Whether they are told the same of all hosts below its domain; by default not. */
  readonly hstsSubdomains?: boolean;
  /** What differs from {@link EDGE_LIMITS}. */
  readonly limits?: Partial<EdgeLimits>;
}

/** What {@link createServer} needs. */
export interface ServerOptions {
  readonly config: ServerConfig;
  /** Registers the services; health and reflection are added. */
  readonly routes: (router: ConnectRouter) => void;
  /** The outermost comes first. */
  readonly interceptors: readonly Interceptor[];
  /** What is served without Connect's adapter where that is possible. */
  readonly direct?: DirectCalls;
  /** What pages of other origins may do; by default nothing. */
  readonly browsers?: BrowserRules;
  readonly readiness: Readiness;
  readonly wellKnown: WellKnown;
  /** Answers proxies at `/forward-auth`; absent: there is no such endpoint. */
  readonly answerProxy?: AnswerProxy;
  /** Where the build of the console is; absent: there is no `/console`. */
  readonly consoleFolder?: string;
  /** Answers `/metrics`; absent: there is no such endpoint. */
  readonly metrics?: Endpoint | undefined;
  /** The pages for the links in mails; absent: there are none. */
  readonly pages?: Pages;
  readonly log: Log;
  /** Lets streams that have a last word say it when the server drains; resolves soon. */
  readonly endStreams?: () => Promise<void>;
  /** Translates a refusal of the server itself, such as `overloaded`, for the wire. */
  readonly refusal?: (failure: Failure) => ConnectError;
}

/** The service on its port. */
export interface Server {
  /** @throws {Error} with Node's `code`, such as `EADDRINUSE`. */
  listen(): Promise<AddressInfo>;
  /** Where it listens. @throws {Error} before `listen` has returned. */
  readonly address: AddressInfo;
  /** Brings the server to rest; calls under way have `graceMs` (default 10 s). */
  drain(graceMs?: number): Promise<void>;
  stats(): ServerStats;
}

/** What a server has to do. */
export interface ServerStats {
  /** Calls under way, streams among them. */
  readonly calls: number;
  readonly connections: number;
  /** Calls refused so far before they began. */
  readonly refused: number;
}

/**
 * Makes a server that answers every protocol on one port; it listens only when told to.
 *
 * @throws {TypeError} if a trusted proxy is not an address or CIDR block.
 */
export function createServer(options: ServerOptions): Server {
  const { config, readiness, log, refusal = plainRefusal } = options;
  const limits: EdgeLimits = { ...EDGE_LIMITS, ...config.limits };
  const addresses = createAddressResolver(config.trustedProxies ?? []);
  const calls = createOpenCalls(limits, refusal);
  const routes = withStandardServices(options, limits);
  const { interceptors, browsers = NO_BROWSERS } = options;
  const rpc = createRpcHandler({ routes, interceptors, browsers, calls, limits, refusal, log });
  const endpoints = createEndpointHandler(endpointsOf(options), log);
  const pages = options.pages && createHostedPages(options.pages, { calls, refusal, limits, log });
  const { host, port, tls } = config;
  const strictTransport = strictTransportOf(config);
  const ways = { rpc, pages, endpoints };
  const handle = createRequestHandler({ ...ways, addresses, strictTransport, limits, log });
  const take = takeStreams(options, { calls, refusal, addresses, browsers, limits, log });
  const handlers = { http1: handle, http2: { take, handle } };
  const listener = createListener({ host, port, tls, handlers, addresses, limits, log });
  let address: AddressInfo | undefined;

  return {
    async listen() {
      address = await listener.listen();
      return address;
    },
    get address() {
      if (address === undefined) throw new Error("the server does not listen yet");
      return address;
    },
    drain: createDrain({ readiness, calls, listener, endStreams: options.endStreams, log }),
    stats: () => ({
      calls: calls.count,
      connections: listener.connections,
      refused: calls.refused,
    }),
  };
}

function endpointsOf(options: ServerOptions): Endpoint[] {
  const { readiness, wellKnown, answerProxy, consoleFolder, metrics } = options;
  const forwardAuth = answerProxy === undefined ? [] : [forwardAuthEndpoint(answerProxy)];
  const probes = [livenessEndpoint(), readinessEndpoint(readiness)];
  const pages = consoleFolder === undefined ? [] : consoleEndpoints(consoleFolder);
  const others = metrics === undefined ? pages : [metrics, ...pages];
  return [...forwardAuth, ...probes, ...wellKnownEndpoints(wellKnown), ...others];
}

function takeStreams(
  { direct }: ServerOptions,
  shared: Omit<FastCallsOptions, keyof DirectCalls>,
): TakeStream {
  return direct === undefined ? () => false : createFastCalls({ ...shared, ...direct });
}

/** Adds `grpc.health.v1` and `grpc.reflection`, which describe themselves as well. */
function withStandardServices(
  { routes, readiness }: ServerOptions,
  limits: EdgeLimits,
): (router: ConnectRouter) => void {
  return (router) => {
    let known: DescriptorIndex | undefined;
    // Asked for by the first call only, when everything is registered.
    const index = (): DescriptorIndex => {
      known ??= createDescriptorIndex(new Set(router.handlers.map((handler) => handler.service)));
      return known;
    };
    const reflection = reflectionServices({
      index,
      streamsMax: limits.reflectionStreamsMax,
      requestsPerStreamMax: limits.reflectionRequestsPerStreamMax,
    });
    const health = healthService({
      readiness,
      serviceNames: () => index().serviceNames,
      watchesMax: limits.healthWatchesMax,
    });
    routes(router);
    router.service(Health, health);
    router.service(ServerReflection, reflection.v1);
    router.service(v1alpha.ServerReflection, reflection.v1alpha);
  };
}

function plainRefusal(failure: Failure): ConnectError {
  const code = failure.reason === "shutting_down" ? Code.Unavailable : Code.ResourceExhausted;
  return new ConnectError(failure.message, code);
}
