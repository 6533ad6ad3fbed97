import { describe, expect, test } from "vitest";
import { newId, type WebhookId } from "../../../src/model/id.ts";
import {
  eventIdOf,
  RETRY_SCHEDULE,
  readEventId,
  retryDelayMs,
} from "../../../src/model/webhook.ts";

const HOUR = 3_600_000;

describe("a delivery that fails", () => {
  test("is tried again with delays that grow for about 3 days", () => {
    const delays: number[] = [];
    for (let failures = 1; ; failures += 1) {
      const delayMs = retryDelayMs(RETRY_SCHEDULE, failures, 0.5);
      if (delayMs === undefined) break;
      delays.push(delayMs);
    }

    expect(delays.slice(0, 4)).toEqual([5_000, 10_000, 20_000, 40_000]);
    expect(delays.toSorted((one, other) => one - other)).toEqual(delays);
    expect(Math.max(...delays)).toBe(12 * HOUR);
    const total = delays.reduce((sum, delay) => sum + delay, 0);
    expect(total).toBeGreaterThan(66 * HOUR);
    expect(total).toBeLessThan(78 * HOUR);
  });

  test("waits a fifth more or less than others that have failed with it", () => {
    const delays = Array.from({ length: 1_000 }, () => retryDelayMs(RETRY_SCHEDULE, 1) ?? 0);

    expect(Math.min(...delays)).toBeGreaterThanOrEqual(4_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(6_000);
    expect(new Set(delays).size).toBeGreaterThan(100);
  });
});

describe("the id of an event", () => {
  const webhookId = newId<WebhookId>();
  const place = { epoch: 12, position: 345 };

  test("tells its place, to its own webhook alone", () => {
    const id = eventIdOf(webhookId, place);

    expect(id).toMatch(/^evt_[0-9a-f]{32}_12_345$/);
    expect(readEventId(webhookId, id)).toEqual(place);
    expect(readEventId(newId<WebhookId>(), id)).toBeUndefined();
  });

  test.each(["", "evt_", "evt_x_1_1", "0198f1a0-0000-7000-8000-000000000000"])(
    "is not %j",
    (text) => {
      expect(readEventId(webhookId, text)).toBeUndefined();
    },
  );

  test("has one form only", () => {
    const id = eventIdOf(webhookId, place);

    expect(readEventId(webhookId, id.replace("_345", "_0345"))).toBeUndefined();
    expect(readEventId(webhookId, ` ${id}`)).toBeUndefined();
    expect(readEventId(webhookId, id.toUpperCase())).toBeUndefined();
  });
});
