import http2 from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Code,
  ConnectError,
  type ConnectRouter,
  type HandlerContext,
} from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ErrorDetailSchema, type ErrorReason } from "../../../gen/signet/v1/error_pb.ts";
import {
  SyncService,
  type WatchUsersRequest,
  type WatchUsersResponse,
  WatchUsersResponseSchema,
} from "../../../gen/signet/v1/sync_service_pb.ts";

/** A frame of the stream, as a test writes it. */
export type Frame = NonNullable<MessageInitShape<typeof WatchUsersResponseSchema>["frame"]>;

/** What the server does with one stream: it sends what this yields. */
export type Script = (
  request: WatchUsersRequest,
  stream: { readonly signal: AbortSignal; cut(): void },
) => AsyncIterable<Frame> | Iterable<Frame>;

/** A server on loopback. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  /** Connections that are open. */
  connections(): number;
  /** Cuts every connection, as a crash would. */
  cut(): void;
}

/** A server of WatchUsers. */
export interface WatchServer extends TestServer {
  /** What the streams so far asked for. */
  readonly requests: readonly WatchUsersRequest[];
}

/** Serves over HTTP/2 with prior knowledge, by connect-node. */
export async function startServer(routes: (router: ConnectRouter) => void): Promise<TestServer> {
  const sockets = new Set<Socket>();
  const server = http2.createServer(connectNodeAdapter({ routes }));
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => sockets.size,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

/** Serves WatchUsers as the script says. */
export async function startWatchServer(script: Script): Promise<WatchServer> {
  const requests: WatchUsersRequest[] = [];
  const server = await startServer((router) => {
    router.rpc(SyncService.method.watchUsers, (request, context) => {
      requests.push(request);
      return play(script, request, context);
    });
  });
  async function* play(
    run: Script,
    request: WatchUsersRequest,
    { signal }: HandlerContext,
  ): AsyncGenerator<WatchUsersResponse> {
    for await (const frame of run(request, { signal, cut: server.cut })) {
      yield create(WatchUsersResponseSchema, { frame });
    }
  }
  return { ...server, requests };
}

/** Waits until the client has gone. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });
}

/** A refusal of Signet, as a handler throws it. */
export function refusal(code: Code, reason: ErrorReason, retryDelayMs = 0): ConnectError {
  const value = { reason, retryDelayMs: BigInt(retryDelayMs) };
  return new ConnectError("refused", code, undefined, [{ desc: ErrorDetailSchema, value }]);
}

/** The first frame of a Site of two Users, with its head at 3. */
export const hello = (cursor: string, more: object = {}): Frame => ({
  case: "hello",
  value: { siteId: "site", head: 3n, userCount: 2n, heartbeatSeconds: 15, cursor, ...more },
});

/** A page of a snapshot, with Users of version 1. */
export const page = (cursor: string, ...ids: readonly string[]): Frame => ({
  case: "snapshotPage",
  value: { users: ids.map((id) => ({ id, version: 1n })), cursor },
});

/** The end of a snapshot: where its sums hold, and where its tail begins. */
export const snapshotEnd = (cursor: string, position: number, tail: number): Frame => ({
  case: "snapshotEnd",
  value: { position: BigInt(position), tailPosition: BigInt(tail), cursor },
});

/** One Change at a position: the User with that id gets that version. */
export const changes = (position: number, id: string, previous = position - 1): Frame => ({
  case: "changeBatch",
  value: {
    changes: [{ position: BigInt(position), user: { id, version: BigInt(position + 1) } }],
    previousPosition: BigInt(previous),
    position: BigInt(position),
    cursor: `p${position}`,
  },
});

/** A checkpoint of a reader that is up to date, unless the head lies further on. */
export const checkpoint = (position: number, head = position): Frame => ({
  case: "checkpoint",
  value: { position: BigInt(position), head: BigInt(head), cursor: `p${position}` },
});
