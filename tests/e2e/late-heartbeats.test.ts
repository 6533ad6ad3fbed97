import { afterAll, beforeAll, expect, test } from "vitest";
import { createSignetClient, VerifierUnavailableError } from "../../src/client/index.ts";
import { signUp } from "../support/builders.ts";
import { startLateProxy } from "../support/late-proxy.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

/** Longer than three heartbeats, and less than a stream has for its hello. */
const LATE_MS = 8_000;
const PATIENCE_MS = 60_000;

let home: SiteOnService;

beforeAll(async () => {
  home = await openSiteOnService();
});

afterAll(async () => {
  await home[Symbol.asyncDispose]();
});

test("a verifier that hears late does not take itself for current", async () => {
  const { backend, key } = home.site;
  const { site } = await backend.sites.getSite({});
  const { accessToken, refreshToken } = await signUp(backend);
  await using proxy = await startLateProxy(Number(new URL(home.service.url).port));
  const client = createSignetClient({ url: proxy.url, key });
  const audience = site?.issuer ?? "";
  await using verifier = client.tokenVerifier({ audience, maxStalenessSeconds: 0 });
  const lost: unknown[] = [];
  const reading = (async () => {
    for await (const status of verifier.status) {
      if (status.type === "reconnecting") lost.push(status.error);
    }
  })();
  await verifier.verify(accessToken);

  proxy.delayAnswers(LATE_MS);
  await until(() => lost.some((error) => /too late/.test(String(error))), PATIENCE_MS);
  await backend.auth.logout({ refreshToken });
  const error: unknown = await verifier.verify(accessToken).catch((thrown: unknown) => thrown);
  client.close();
  await reading;

  expect(error).toBeInstanceOf(VerifierUnavailableError);
  expect(verifier.counters()).toMatchObject({ accepted: 1, acceptedStale: 0, refusedStale: 1 });
});
