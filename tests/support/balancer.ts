import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** What stands before several processes of the service: one address for all of them. */
export interface Balancer extends AsyncDisposable {
  readonly url: string;
  /** Where it takes HTTP/1.1; absent: at the same address. */
  readonly http1Url?: string;
}

const HOST = "127.0.0.1";

/** Starts a balancer that gives each connection to the next port that takes it. */
export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  const sockets = new Set<Socket>();
  let turn = 0;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => undefined); // It is followed by the close.
    socket.once("close", () => sockets.delete(socket));
  };
  const open = async (): Promise<Socket | undefined> => {
    for (const _ of ports) {
      turn += 1;
      const socket = connect(ports[turn % ports.length] ?? 0, HOST);
      keep(socket);
      if (await connects(socket)) return socket;
    }
    return undefined;
  };
  const server = createServer({ pauseOnConnect: true }, (near) => {
    keep(near);
    void open().then((far) => {
      if (!far || near.destroyed) {
        far?.destroy();
        near.destroy();
        return;
      }
      near.once("close", () => far.destroySoon());
      far.once("close", () => near.destroySoon());
      near.pipe(far).pipe(near);
      near.resume();
    });
  });
  server.listen(0, HOST);
  await once(server, "listening");
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}`, // It listens on TCP.
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}

function connects(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true)).once("close", () => resolve(false));
  });
}
