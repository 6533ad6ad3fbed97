import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { addressGroup, normalAddress } from "../model/network-address.ts";
import type { AddressResolver } from "./address.ts";
import type { EdgeLimits } from "./edge-limits.ts";
import type { Log } from "./log.ts";
import {
  createProtocolServers,
  type NodeHandlers,
  type ProtocolServers,
} from "./protocol-servers.ts";
import { sniffProtocol } from "./protocol-sniffer.ts";
import { createQuota } from "./quota.ts";

/** Certificate chain and private key, in PEM. */
export interface TlsIdentity {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** What {@link createListener} needs. */
export interface ListenerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** With it the port speaks TLS and nothing else. */
  readonly tls?: TlsIdentity | undefined;
  readonly handlers: NodeHandlers;
  readonly addresses: AddressResolver;
  readonly limits: EdgeLimits;
  readonly log: Log;
}

/** One TCP port for every protocol. */
export interface Listener {
  /** @throws {Error} with Node's `code`, such as `EADDRINUSE`. */
  listen(): Promise<AddressInfo>;
  /**
   * Takes no new connection, tells every client to go elsewhere, lets calls under way finish, and
   * cuts what is left when `graceMs` is over.
   */
  close(graceMs: number): Promise<void>;
  /** How many sockets are open. */
  readonly connections: number;
}

/** A client may end its side after its request, as `nc` does, and still wants the answer. */
const SOCKET_OPTIONS = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
} as const;

/** Makes a listener; it takes no connection before `listen`. */
export function createListener(options: ListenerOptions): Listener {
  const { limits } = options;
  const protocols = createProtocolServers(options.handlers, limits);
  const sockets = new Set<Socket>();
  const undecided = new Set<Socket>();
  const admit = createAdmission(options);

  const secure =
    options.tls === undefined ? undefined : createTlsFront(options.tls, limits, protocols.serve);

  const decide = (socket: Socket): void => {
    undecided.add(socket);
    socket.once("close", () => undecided.delete(socket));
    sniffProtocol(socket, limits.firstBytesMsMax, (protocol) => {
      undecided.delete(socket);
      protocols.serve(socket, protocol);
    });
  };

  const server = createServer(SOCKET_OPTIONS, (socket) => {
    // A reset may come at any time, also when no protocol listens for it yet.
    socket.on("error", () => socket.destroy());
    if (!admit(socket)) return;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    if (secure === undefined) decide(socket);
    else secure.emit("connection", socket);
  });

  async function close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    destroyAll(undecided);
    protocols.retire();
    const cut = setTimeout(() => destroyAll(sockets), graceMs);
    await closed;
    clearTimeout(cut);
    protocols.stop();
  }

  return {
    listen: () => startListening(server, options),
    close,
    get connections() {
      return sockets.size;
    },
  };
}

function destroyAll(sockets: ReadonlySet<Socket>): void {
  for (const socket of sockets) socket.destroy();
}

function startListening(server: Server, options: ListenerOptions): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => {
      server.off("error", reject);
      server.on("error", (err) => options.log.error({ err }, "listener failed"));
      resolve(server.address() as AddressInfo);
    });
  });
}

/** Returns what refuses a socket, by destroying it, once there are too many of its kind. */
function createAdmission(options: ListenerOptions): (socket: Socket) => boolean {
  const { limits, log, addresses } = options;
  const quota = createQuota({
    total: limits.connectionsMax,
    perHolder: limits.connectionsPerClientMax,
  });
  let refused = 0;
  let reportedAtMs = 0;

  return (socket) => {
    const address = normalAddress(socket.remoteAddress ?? "");
    const exempt = addresses.isTrustedProxy(address);
    const giveBack = quota.take(addressGroup(address), { exempt });
    if (giveBack !== undefined) {
      socket.once("close", giveBack);
      return true;
    }
    socket.resetAndDestroy();
    refused += 1;
    // At most one line in ten seconds: a flood must not become a flood of log lines.
    if (Date.now() - reportedAtMs >= 10_000) {
      log.warn({ refused, address }, "too many connections");
      reportedAtMs = Date.now();
      refused = 0;
    }
    return false;
  };
}

/** Makes the TLS layer, which is fed with sockets as well and never listens. */
function createTlsFront(
  identity: TlsIdentity,
  limits: EdgeLimits,
  serve: ProtocolServers["serve"],
) {
  const server = createTlsServer({
    cert: identity.cert,
    key: identity.key,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["h2", "http/1.1"],
    handshakeTimeout: limits.tlsHandshakeMsMax,
  });
  server.on("secureConnection", (socket: TLSSocket) => {
    socket.on("error", () => socket.destroy());
    serve(socket, socket.alpnProtocol === "h2" ? "http/2" : "http/1.1");
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  return server;
}
