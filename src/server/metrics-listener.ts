import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Endpoint, refusal } from "./http-endpoints.ts";
import type { Log } from "./log.ts";
import { NO_SNIFFING } from "./no-sniffing.ts";

/** An address for metrics alone. */
export interface MetricsListener {
  /** @throws {Error} with Node's `code`, such as `EADDRINUSE`. */
  listen(): Promise<AddressInfo>;
  close(): Promise<void>;
}

/** A scraper has one or two; more are nobody's. */
const CONNECTIONS_MAX = 32;
const REQUEST_MS_MAX = 10_000;
const HEADER_BYTES_MAX = 16 * 1024;

/** Prepares a plain server over HTTP/1.1 that has this one endpoint and no other. */
export function createMetricsListener(
  endpoint: Endpoint,
  { host, port }: { readonly host: string; readonly port: number },
  log: Log,
): MetricsListener {
  const server = createServer(
    { requestTimeout: REQUEST_MS_MAX, maxHeaderSize: HEADER_BYTES_MAX },
    (request, response) => {
      answer(request.method, request.url ?? "", request.headers).then(
        ({ status, headers, body }) => {
          const text = typeof body === "string" ? body : JSON.stringify(body);
          const ofBody = { "content-type": "application/json", ...NO_SNIFFING };
          response.writeHead(status, { ...ofBody, ...headers });
          response.end(request.method === "HEAD" ? undefined : text);
        },
        (err: unknown) => {
          log.error({ err }, "metrics are not answered");
          response.destroy();
        },
      );
    },
  );
  server.maxConnections = CONNECTIONS_MAX;

  async function answer(
    method: string | undefined,
    url: string,
    headers: Parameters<Endpoint["answer"]>[0]["headers"],
  ) {
    if (url.split("?")[0] !== endpoint.path) return refusal(404, "not_found");
    if (method !== "GET" && method !== "HEAD") {
      return refusal(405, "method_not_allowed", { allow: "GET, HEAD" });
    }
    return await endpoint.answer({ params: {}, url, headers, rawHeaders: [], clientAddress: "" });
  }

  return {
    async listen() {
      server.listen(port, host);
      await once(server, "listening"); // Rejects with what `error` says.
      const address = server.address();
      if (typeof address !== "object" || !address) throw new Error("no address to listen on");
      return address;
    },
    async close() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
