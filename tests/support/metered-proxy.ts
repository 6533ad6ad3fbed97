import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";

/** Passes connections on, and counts their bytes. */
export interface MeteredProxy extends AsyncDisposable {
  readonly url: string;
  /** Bytes in both directions since the beginning. */
  bytes(): number;
}

/** Starts a proxy on loopback to a port of this machine; `read` is shown all that passes. */
export async function startMeteredProxy(
  port: number,
  read: (chunk: Buffer) => void = () => undefined,
): Promise<MeteredProxy> {
  const sockets = new Set<Socket>();
  let bytes = 0;
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        read(chunk);
      });
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bytes: () => bytes,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
