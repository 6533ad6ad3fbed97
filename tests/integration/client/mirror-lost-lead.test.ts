import { Pool } from "pg";
import { expect, inject, onTestFinished, test } from "vitest";
import { createUserMirror, type UserMirrorEvent } from "../../../src/client/index.ts";
import { idOf, startSiteModel } from "../../conformance/site-model.ts";
import { startFaultProxy } from "../../support/fault-proxy.ts";
import { openMirrorTable } from "../../support/mirror-table.ts";
import { until } from "../../support/waiting.ts";

/** Longer than it takes who stands by to look for the lead again. */
const SILENCE_MS = 4_000;
const PATIENCE_MS = 30_000;

test("a mirror whose lock has outlived its connection tells that nothing is written", async () => {
  await using site = await startSiteModel();
  await using place = openMirrorTable();
  const first = site.put(idOf(1));
  const url = new URL(inject("postgres").adminUrl);
  await using proxy = await startFaultProxy(Number(url.port));
  url.port = String(proxy.port);
  const pool = new Pool({ connectionString: url.href, application_name: place.table });
  pool.on("error", () => undefined);
  onTestFinished(() => pool.end());
  const events: UserMirrorEvent[] = [];
  await using mirror = createUserMirror({
    client: site.client,
    pool,
    table: place.table,
    silenceLimitMs: SILENCE_MS,
    onEvent: (event) => events.push(event),
  });
  await mirror.waitFor({ userId: idOf(1), version: first });

  // Its machine is gone for the database's server, which holds the session and its lock.
  proxy.halfOpen("far");
  await until(() => events.find(({ type }) => type === "delivery_failing"), PATIENCE_MS);
  site.put(idOf(2));
  const missed = await place.users();
  await place.terminate();
  await until(async () => (await place.users()).size === 2, PATIENCE_MS);
  await until(() => events.at(-1)?.type === "in_sync", PATIENCE_MS);

  expect(missed.size).toBe(1);
  expect(mirror.counters.leads).toBe(2);
});
