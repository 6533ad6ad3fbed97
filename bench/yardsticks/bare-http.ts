import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { answerParent } from "../child-process.ts";

answerParent(listen);

/** Answers every request with 200 on the core API of HTTP/1.1. */
async function listen(_: object): Promise<{ readonly port: number }> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-length": "0" });
    response.end();
  });
  server.keepAliveTimeout = 75_000; // As Signet's.
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  return { port };
}
