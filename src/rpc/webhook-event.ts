import { create, toJsonString } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { WebhookEventSchema } from "../../gen/signet/v1/change_pb.ts";
import type { WebhookEvent } from "../domain/webhook-events.ts";
import { toChangeMessage } from "./watch-frames.ts";

/** Writes the body of a webhook's request: a WebhookEvent in the JSON form of protobuf. */
export function encodeWebhookEvent(event: WebhookEvent): string {
  const { change, userFields: projection } = event;
  const message = create(WebhookEventSchema, {
    type: change ? change.kind.replace("_", ".") : "test",
    timestamp: timestampFromDate(event.time),
    webhookId: event.webhookId,
    siteId: event.siteId,
    epoch: event.epoch,
    position: BigInt(event.position),
    previousPosition: BigInt(event.previousPosition),
    ...(change && { change: toChangeMessage(change, { projection }) }),
  });
  return toJsonString(WebhookEventSchema, message);
}
