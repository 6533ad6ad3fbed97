import { afterAll, beforeAll, expect, test } from "vitest";
import { watchThroughProxy } from "../support/idle-watch.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { timeToFree } from "../support/stopped-client.ts";

const WATCH_MS = 600_000;
/** Of a machine that has other things to do. */
const SLACK_MS = 5_000;

let service: SiteOnService;

beforeAll(async () => {
  service = await openSiteOnService();
});

afterAll(() => service[Symbol.asyncDispose]());

test("a client that was stopped is given up within 45 s", async () => {
  const freedMs = await timeToFree(service.service.url, service.site, 90_000);

  expect(freedMs).toBeGreaterThan(10_000);
  expect(freedMs).toBeLessThan(45_000 + SLACK_MS);
});

test("a proxy that cuts what is idle for 60 s cuts no stream in ten minutes", {
  timeout: 2 * WATCH_MS,
}, async () => {
  const place = { port: service.service.port, key: service.site.key };

  const outcome = await watchThroughProxy(place, { idleMs: 60_000, watchMs: WATCH_MS });

  expect(outcome).toEqual({ connections: 1, cuts: 0, losses: 0 });
});
