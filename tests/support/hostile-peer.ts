import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { mintSiteSecret } from "../../src/crypto/site-secret.ts";
import { newId, type SiteId } from "../../src/model/id.ts";

/** What is done with a request. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => void;

/** A server that a Signet takes for another one. */
export interface HostilePeer extends AsyncDisposable {
  readonly url: string;
  /** The Site of {@link key}. */
  readonly siteId: string;
  readonly key: string;
  /** How many requests have arrived. */
  requests(): number;
  /** From now on requests are met like this. */
  behave(misbehaviour: Misbehaviour): void;
}

/** Starts one on a free port; with a certificate it speaks TLS. */
export async function startHostilePeer(tls?: {
  readonly cert: string;
  readonly key: string;
}): Promise<HostilePeer> {
  let behaviour: Misbehaviour = (_, response) => response.end();
  let requests = 0;
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    requests += 1;
    request.resume().once("end", () => behaviour(request, response));
  };
  const server = tls ? createTlsServer(tls, serve) : createServer(serve);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const siteId = newId<SiteId>();
  return {
    url: `${tls ? "https" : "http"}://127.0.0.1:${port}`,
    siteId,
    key: mintSiteSecret("site_key", siteId).text.reveal(),
    requests: () => requests,
    behave: (misbehaviour) => (behaviour = misbehaviour),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Answers every request with this JSON. */
export function answering(json: object, status = 200): Misbehaviour {
  return (_, response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(json));
  };
}
