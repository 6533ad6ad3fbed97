import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type VerifiedWebhook, verifyWebhook } from "../../src/client/webhook.ts";

/** Tests set the clock of the service days ahead. */
const TOLERANCE_SECONDS = 30 * 86_400;

/** What a receiver does with a request; nothing: it answers 204. */
export type Reaction = (
  received: VerifiedWebhook,
  response: ServerResponse,
  request: IncomingMessage,
) => void;

/** A receiver of webhooks: a real HTTP server that verifies what it is sent. */
export interface WebhookReceiver extends AsyncDisposable {
  readonly url: string;
  /** The secrets by which it verifies. */
  readonly secrets: string[];
  /** Every request that was verified, accepted or not, in the order of arrival. */
  readonly requests: readonly VerifiedWebhook[];
  /** Those that it has accepted. */
  readonly accepted: readonly VerifiedWebhook[];
  /** Every request as it came: its headers, then its body. */
  readonly texts: readonly string[];
  /** Why requests were not to be believed; must stay empty. */
  readonly refusals: readonly string[];
  /** The most requests that were open at once. */
  openMax(): number;
  /** Does so from now on. */
  react(reaction: Reaction | undefined): void;
}

/** Starts a receiver on a free port of this machine. */
export async function startReceiver(): Promise<WebhookReceiver> {
  const requests: VerifiedWebhook[] = [];
  const accepted: VerifiedWebhook[] = [];
  const texts: string[] = [];
  const refusals: string[] = [];
  const secrets: string[] = [];
  let reaction: Reaction | undefined;
  let open = 0;
  let openMax = 0;

  const server = createServer((request, response) => {
    open += 1;
    openMax = Math.max(openMax, open);
    response.on("close", () => {
      open -= 1;
    });
    void receive(request, response);
  });

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { headers } = request;
    texts.push(`${JSON.stringify(headers)}\n${Buffer.concat(chunks)}`);
    try {
      const received = verifyWebhook(
        { headers, body: Buffer.concat(chunks) },
        { secrets, toleranceSeconds: TOLERANCE_SECONDS },
      );
      requests.push(received);
      response.on("finish", () => {
        if (response.statusCode === 204) accepted.push(received);
      });
      if (reaction) reaction(received, response, request);
      else response.writeHead(204).end();
    } catch (error) {
      refusals.push(String(error));
      response.writeHead(400).end();
    }
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    secrets,
    requests,
    accepted,
    texts,
    refusals,
    openMax: () => openMax,
    react(next) {
      reaction = next;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
