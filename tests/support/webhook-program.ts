import { answerParent } from "../../bench/child-process.ts";
import { startWebhookWorker } from "../../src/jobs/deliver-webhooks.ts";
import { createDatabase } from "../../src/store/database.ts";
import { silentLog } from "./postgres.ts";
import { QUICK, webhookDeps } from "./webhook-trial.ts";

/** A program: a worker that delivers until it is killed. */

/** What it is told: to work, or to end as by `kill -9`. */
export type WebhookOrder =
  | { readonly type: "work"; readonly databaseUrl: string; readonly masterKey: string }
  | { readonly type: "die" };

answerParent((order: WebhookOrder) => {
  if (order.type === "die") process.kill(process.pid, "SIGKILL");
  else work(order);
  return Promise.resolve("done" as const);
});

function work({ databaseUrl, masterKey }: Extract<WebhookOrder, { readonly type: "work" }>): void {
  const db = createDatabase({ url: databaseUrl, log: silentLog });
  startWebhookWorker({ ...webhookDeps(db, Buffer.from(masterKey, "base64")), ...QUICK }, silentLog);
}
