import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";

/** A real HTTP server on a free port of this machine. */
export interface HttpTarget extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** The paths that were asked for. */
  readonly paths: readonly string[];
}

/** Starts a server that answers as it is told. */
export async function startHttpTarget(answer: RequestListener): Promise<HttpTarget> {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url ?? "");
    answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    paths,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
