import { expect, test } from "vitest";
import { watchThroughProxy } from "../support/idle-watch.ts";
import { openInnerService } from "../support/inner-service.ts";
import { timeToFree } from "../support/stopped-client.ts";

test("a client that was stopped loses its streams once it answers no ping", async () => {
  const pingIntervalMs = 1_500;
  await using service = await openInnerService({}, { pingIntervalMs });

  const freedMs = await timeToFree(service.url, service.site, 15_000);

  expect(freedMs).toBeGreaterThan(pingIntervalMs / 2);
});

test("a proxy that cuts idle connections leaves a stream alone whose heart beats", async () => {
  await using service = await openInnerService();
  const place = { port: service.port, key: service.site.key };
  const times = { idleMs: 5_000, watchMs: 16_000 };

  const [beating, silent] = await Promise.all([
    watchThroughProxy(place, { ...times, heartbeatSeconds: 1 }),
    watchThroughProxy(place, { ...times, heartbeatSeconds: 15 }),
  ]);

  expect(beating).toEqual({ connections: 1, cuts: 0, losses: 0 });
  expect(silent.cuts).toBeGreaterThan(0);
  expect(silent.losses).toBeGreaterThan(0);
});
