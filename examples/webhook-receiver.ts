import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { verifyWebhook, type WebhookEvent, WebhookVerificationError } from "../src/client/index.ts";

const secrets = (process.env.WEBHOOK_SECRETS ?? "").split(",");
const done = new Set<string>(); // In a real app: a unique key in the database.

const server = createServer((request, response) => void receive(request, response));

server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => console.log("ready"));

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  try {
    const received = { headers: request.headers, body: Buffer.concat(chunks) };
    const { id, event } = verifyWebhook(received, { secrets });
    if (!done.has(id)) greet(event);
    done.add(id);
    response.writeHead(204).end();
  } catch (error) {
    response.writeHead(error instanceof WebhookVerificationError ? 400 : 500).end();
  }
}

function greet({ type, change }: WebhookEvent): void {
  console.log(`${type}: ${change?.user?.email ?? "nobody"}`);
}
