import type { IncomingMessage } from "node:http";
import { afterAll, expect, test } from "vitest";
import { UserState } from "../../gen/signet/v1/user_pb.ts";
import { createMemoryMirror } from "../../src/client/memory-mirror.ts";
import type { WebhookGap } from "../../src/client/webhook-gaps.ts";
import { createWebhookHandler } from "../../src/client/webhook-handler.ts";
import { createWebhook } from "../../src/domain/webhooks.ts";
import { openTestDatabase } from "../support/database.ts";
import { startHttpTarget } from "../support/http-target.ts";
import { until } from "../support/waiting.ts";
import { OPERATOR, openWebhookTrial } from "../support/webhook-trial.ts";

const database = await openTestDatabase();
afterAll(() => database[Symbol.asyncDispose]());

test("a Mirror that a webhook feeds holds every User as it is, whatever fails", async () => {
  const trial = await openWebhookTrial(database.db);
  const storage = createMemoryMirror();
  const secrets: string[] = [];
  const gaps: WebhookGap[] = [];
  const handler = createWebhookHandler({
    secrets,
    storage,
    gapSeconds: 0.2,
    onGap: async (gap) => void gaps.push(gap),
  });
  let swallowed = "";
  await using target = await startHttpTarget((request, response) => {
    void receive(request).then((status) => response.writeHead(status).end());
  });

  async function receive(request: IncomingMessage): Promise<number> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const received = { headers: request.headers, body: Buffer.concat(chunks) };
    if (swallowed !== "" && received.body.includes(swallowed)) return 204;
    await handler.handle(received);
    return Math.random() < 0.3 ? 500 : 204; // Done, but the answer may get lost.
  }
  const wanted = { id: undefined, url: target.url, label: "", kinds: [], userFields: [] };
  const { secret } = await createWebhook(trial.deps, OPERATOR, trial.siteId, wanted);
  secrets.push(secret?.reveal() ?? "");
  await using _worker = trial.startWorker();

  const ids = await trial.fill(40);
  for (const id of ids.slice(0, 20)) await trial.generator.update(id);
  for (const id of ids.slice(0, 10)) await trial.generator.remove(id);
  await trial.number();
  await until(() => [...storage.users.values()].filter(isGone).length === 10);
  await until(() => ids.slice(10, 20).every((id) => storage.users.get(id)?.version === 2n));

  expect([...storage.users.keys()].sort()).toEqual([...ids].sort());
  expect(ids.slice(20).every((id) => storage.users.get(id)?.version === 1n)).toBe(true);
  const before = gaps.length;
  swallowed = ids[30] ?? "";
  await trial.generator.update(ids[30] as never);
  await trial.fill(1);
  const isSwallowed = ({ epoch, position }: WebhookGap) => epoch === 1 && position === 71n;
  await until(() => gaps.slice(before).some(isSwallowed));
  handler.close();
});

function isGone({ state }: { readonly state: UserState }): boolean {
  return state === UserState.DELETED;
}
