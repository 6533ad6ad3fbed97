import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import {
  type WebhookDelivery,
  type WebhookDeliveryState,
  WebhookDeliveryStateSchema,
  WebhookProblem,
} from "../../gen/signet/v1/change_pb.ts";
import {
  ListWebhookDeliveriesResponseSchema,
  RedeliverWebhookResponseSchema,
  SendTestWebhookResponseSchema,
} from "../../gen/signet/v1/sync_service_pb.ts";
import { type AnswerOptions, addCommand, printAnswer } from "./answer.ts";
import { withClient } from "./connection.ts";
import { CheckFailed, type Context, UsageError } from "./context.ts";
import { enumWords } from "./enum-words.ts";
import { enumListOption, numberOption, present } from "./options.ts";
import {
  LIMIT_DEFAULT,
  limitOption,
  PAGE_TOKEN_FLAGS,
  type PageOptions,
  readPages,
} from "./pages.ts";
import { layOutAttempt, layOutDeliveries } from "./webhook-layout.ts";

const STATES = enumWords(WebhookDeliveryStateSchema);
const SITE_FLAGS = ["--site <id>", "its Site; not needed with a site key"] as const;

interface SiteOptions extends AnswerOptions {
  readonly site?: string;
}

interface ListOptions extends SiteOptions, PageOptions {
  readonly state?: WebhookDeliveryState[];
  readonly user?: string;
}

interface RedeliverOptions extends SiteOptions {
  readonly delivery?: string;
  readonly first?: number;
  readonly last?: number;
  readonly undeliveredOnly?: true;
}

/** Adds what concerns deliveries to `signet webhook …`. */
export function addWebhookDeliveryCommands(webhook: Command, context: Context): void {
  addCommand(webhook, "test", {
    description: "Posts a test to a webhook, once; ends with 1 where it is not accepted.",
    examples: ["signet webhook test <webhook id> --site <id>"],
  })
    .argument("<id>", "the webhook")
    .option(...SITE_FLAGS)
    .action((id: string, options: SiteOptions) => sendTest(context, id, options));
  addCommand(webhook, "deliveries", {
    description: "Lists deliveries of a webhook, the newest first.",
    examples: ["signet webhook deliveries <webhook id> --site <id> --state dead"],
  })
    .argument("<id>", "the webhook")
    .option(...SITE_FLAGS)
    .addOption(enumListOption("--state <word>", "those in this state, else in any", STATES))
    .option("--user <id>", "those about this User, else about anyone")
    .addOption(limitOption(LIMIT_DEFAULT))
    .option(...PAGE_TOKEN_FLAGS)
    .action((id: string, options: ListOptions) => listDeliveries(context, id, options));
  addCommand(webhook, "redeliver", {
    description: "Queues one delivery again, or the Changes of a range of positions.",
    examples: [
      "signet webhook redeliver <webhook id> --site <id> --delivery evt_…",
      "signet webhook redeliver <webhook id> --site <id> --first 1 --undelivered-only",
    ],
  })
    .argument("<id>", "the webhook")
    .option(...SITE_FLAGS)
    .option("--delivery <id>", "the delivery")
    .addOption(numberOption("--first <position>", "the first position of a range"))
    .addOption(numberOption("--last <position>", "its last position, else the head"))
    .option("--undelivered-only", "leave out what was delivered already")
    .action((id: string, options: RedeliverOptions) => redeliver(context, id, options));
}

async function sendTest(context: Context, id: string, options: SiteOptions): Promise<void> {
  const request = { id, ...present({ siteId: options.site }) };
  const answer = await withClient(context, ({ sync }) => sync.sendTestWebhook(request));
  printAnswer(context, options, SendTestWebhookResponseSchema, answer, layOutAttempt);
  if (answer.attempt?.problem === WebhookProblem.UNSPECIFIED) return;
  throw new CheckFailed("the webhook has not accepted the test", 1);
}

async function listDeliveries(context: Context, webhookId: string, options: ListOptions) {
  const { site: siteId, state: states, user: userId } = options;
  const request = { webhookId, ...present({ siteId, states, userId }) };
  const deliveries: WebhookDelivery[] = [];
  const nextPageToken = await withClient(context, ({ sync }) =>
    readPages(options, async (page) => {
      const answer = await sync.listWebhookDeliveries({ ...request, ...page });
      deliveries.push(...answer.deliveries);
      return { count: deliveries.length, nextPageToken: answer.nextPageToken };
    }),
  );
  const answer = create(ListWebhookDeliveriesResponseSchema, { deliveries, nextPageToken });
  printAnswer(context, options, ListWebhookDeliveriesResponseSchema, answer, layOutDeliveries);
}

async function redeliver(context: Context, webhookId: string, options: RedeliverOptions) {
  const what = { what: whatOf(options) };
  const request = { webhookId, ...present({ siteId: options.site }), ...what };
  const answer = await withClient(context, ({ sync }) => sync.redeliverWebhook(request));
  printAnswer(context, options, RedeliverWebhookResponseSchema, answer, ({ queuedCount }) =>
    queuedCount === 1n ? "1 delivery is queued" : `${queuedCount} deliveries are queued`,
  );
}

function whatOf({ delivery, first, last = 0, undeliveredOnly }: RedeliverOptions) {
  if (delivery !== undefined && first === undefined) {
    return { case: "deliveryId", value: delivery } as const;
  }
  if (first === undefined || delivery !== undefined) {
    throw new UsageError("say either --delivery or --first");
  }
  const range = {
    firstPosition: BigInt(first),
    lastPosition: BigInt(last),
    undeliveredOnly: undeliveredOnly === true,
  };
  return { case: "range", value: range } as const;
}
