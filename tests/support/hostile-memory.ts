import { createServer } from "node:net";
import { isMainThread } from "node:worker_threads";

/** A program that is loaded into a service under test: it tells what memory is held, when asked. */

const socket = process.env.HOSTILE_MEMORY_SOCKET;
if (isMainThread && socket) {
  const server = createServer((connection) => {
    connection.on("error", () => undefined);
    void collectGarbage().then(() => {
      const { rss, heapUsed, external } = process.memoryUsage();
      connection.end(JSON.stringify({ pid: process.pid, rss, heapUsed, external }));
    });
  });
  server.listen(socket);
  server.unref();
}

/** What has a finalizer goes after a turn of the loop, and what that held after another. */
async function collectGarbage(): Promise<void> {
  for (let n = 0; n < 3; n += 1) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
