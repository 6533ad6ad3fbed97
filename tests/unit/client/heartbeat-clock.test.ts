import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { createHeartbeatClock } from "../../../src/client/heartbeat-clock.ts";

const HOUR_MS = 3_600_000;

test.each([
  ["is right", 0],
  ["is an hour ahead", HOUR_MS],
  ["is an hour behind", -HOUR_MS],
])("a heartbeat is as old as it is where Signet's clock %s", (_, aheadMs) => {
  const clock = createHeartbeatClock();
  const serverMs = Date.now() + aheadMs;
  clock.noteHello(timestampFromMs(serverMs));

  const ageMs = performance.now() - clock.knownMs(timestampFromMs(serverMs - 20_000));

  expect(ageMs).toBeGreaterThanOrEqual(20_000);
  expect(ageMs).toBeLessThan(HOUR_MS);
});

test("a heartbeat is never younger than its arrival", () => {
  const clock = createHeartbeatClock();
  const serverMs = Date.now();
  clock.noteHello(timestampFromMs(serverMs));

  const knownMs = clock.knownMs(timestampFromMs(serverMs + HOUR_MS));

  expect(knownMs).toBeLessThanOrEqual(performance.now());
});
