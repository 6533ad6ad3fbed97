import { expect, test } from "vitest";
import { countWebhooks, webhookProblems } from "../../../src/domain/webhook-verdict.ts";
import { newId, type WebhookId } from "../../../src/model/id.ts";
import type { WebhookFacts } from "../../../src/model/webhook.ts";

const NOW = new Date("2026-06-01T12:00:00Z");
const MINUTE = 60_000;
const id = newId<WebhookId>();
const well: WebhookFacts = {
  id,
  state: "enabled",
  pending: 0,
  failing: 0,
  dead: 0,
  waitingSince: undefined,
};

const ago = (ms: number) => new Date(NOW.getTime() - ms);
const verdicts = (facts: Partial<WebhookFacts>) =>
  webhookProblems({ ...well, ...facts }, NOW).map(({ kind, verdict }) => `${kind} ${verdict}`);

test.each<[string, Partial<WebhookFacts>, string[]]>([
  ["that owes nothing is well", {}, []],
  ["whose delivery has waited for 5 minutes is well", { waitingSince: ago(5 * MINUTE) }, []],
  ["lags beyond that", { waitingSince: ago(5 * MINUTE + 1) }, ["webhook_lagging degraded"]],
  ["is stuck after an hour", { waitingSince: ago(61 * MINUTE) }, ["webhook_lagging unhealthy"]],
  ["has dead deliveries", { dead: 2 }, ["webhook_dead_deliveries unhealthy"]],
  ["has been switched off", { state: "failed" }, ["webhook_disabled unhealthy"]],
  ["is gone", { state: "gone", waitingSince: ago(90 * MINUTE) }, ["webhook_disabled unhealthy"]],
  ["is off as it was told to be", { state: "disabled", waitingSince: ago(90 * MINUTE) }, []],
])("a webhook %s", (_, facts, expected) => {
  expect(verdicts(facts)).toEqual(expected);
});

test("a problem names its webhook, and what was measured", () => {
  const [problem] = webhookProblems({ ...well, dead: 3 }, NOW);

  expect(problem).toMatchObject({ subjectId: id, value: 3, threshold: 0 });
});

test("webhooks are summed up", () => {
  const waitingSince = ago(MINUTE);
  const facts: WebhookFacts[] = [
    well,
    { ...well, state: "gone", pending: 5, failing: 2, waitingSince },
    { ...well, state: "disabled", pending: 1, dead: 4 },
  ];

  const counts = countWebhooks(facts, NOW);

  expect(counts).toEqual({
    count: 3,
    disabled: 1,
    pending: 6,
    failing: 2,
    dead: 4,
    lagMsMax: MINUTE,
  });
});
