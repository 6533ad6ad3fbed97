import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A proxy on loopback whose answers may lie somewhere for a while: whole, and in order. */
export interface LateProxy extends AsyncDisposable {
  readonly url: string;
  /** From now on what is answered arrives so much later. */
  delayAnswers(ms: number): void;
}

const HOST = "127.0.0.1";

/** Starts the proxy, in front of a port of this machine; at first nothing is late. */
export async function startLateProxy(target: number): Promise<LateProxy> {
  const sockets = new Set<Socket>();
  const timers = new Set<NodeJS.Timeout>();
  let delayMs = 0;
  const server = createServer((near) => {
    const far = connect(target, HOST);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => undefined); // It is followed by the close.
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    near.pipe(far);
    far.on("data", (bytes: Buffer) => {
      const timer = setTimeout(() => {
        timers.delete(timer);
        if (!near.destroyed) near.write(bytes);
      }, delayMs);
      timers.add(timer);
    });
  });
  server.listen(0, HOST);
  await once(server, "listening");
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}`, // It listens on TCP.
    delayAnswers(ms) {
      delayMs = ms;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const timer of timers) clearTimeout(timer);
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}
