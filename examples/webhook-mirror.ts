import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Pool } from "pg";
import {
  createPostgresMirror,
  createSignetClient,
  createUserMirror,
  createWebhookHandler,
  WebhookVerificationError,
} from "../src/client/index.ts";

const { SIGNET_URL = "http://127.0.0.1:5678", SIGNET_KEY = "", PORT = "3000" } = process.env;
const { MIRROR_DATABASE_URL, WEBHOOK_SECRETS = "" } = process.env;
const signet = createSignetClient({ url: SIGNET_URL, key: SIGNET_KEY });
const pool = new Pool({ connectionString: MIRROR_DATABASE_URL });
pool.on("error", (error) => console.error("connection lost", error));

const storage = createPostgresMirror({ pool, table: "public.userbase" });
const handler = createWebhookHandler({ secrets: WEBHOOK_SECRETS.split(","), storage, onGap: fill });

/** Fills the table, or puts right what differs; no stream stays open behind it. */
async function fill(): Promise<void> {
  await using mirror = createUserMirror({ client: signet, storage, reports: false });
  await mirror.waitUntilFilled();
  console.log("compared", await mirror.reconcile());
}

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  try {
    await handler.handle({ headers: request.headers, body: Buffer.concat(chunks) });
    response.writeHead(204).end();
  } catch (error) {
    console.error("refused", error);
    response.writeHead(error instanceof WebhookVerificationError ? 400 : 500).end();
  }
}

await fill();
const server = createServer((request, response) => void receive(request, response));
server.listen(Number(PORT), "127.0.0.1", () => console.log("the app is ready"));
process.once("SIGTERM", () => void stop());

async function stop(): Promise<void> {
  server.close();
  handler.close();
  signet.close();
  await pool.end();
}
