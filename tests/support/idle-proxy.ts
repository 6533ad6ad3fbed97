import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A proxy that cuts connections on which nothing has moved for a while, as balancers do. */
export interface IdleProxy extends AsyncDisposable {
  readonly url: string;
  /** How many connections there were. */
  connections(): number;
  /** How many of them were cut. */
  cuts(): number;
}

const HOST = "127.0.0.1";

/** Starts the proxy, in front of a port of this machine. */
export async function startIdleProxy(target: number, idleMs: number): Promise<IdleProxy> {
  const sockets = new Set<Socket>();
  const count = { connections: 0, cuts: 0 };
  const server = createServer((client) => {
    const service = connect(target, HOST);
    count.connections += 1;
    const end = (): void => {
      client.destroy();
      service.destroy();
    };
    for (const socket of [client, service]) {
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    client.setTimeout(idleMs, () => {
      count.cuts += 1;
      end();
    });
    client.pipe(service).pipe(client);
  });
  server.listen(0, HOST);
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("the proxy has no port");
  return {
    url: `http://${HOST}:${address.port}`,
    connections: () => count.connections,
    cuts: () => count.cuts,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}
