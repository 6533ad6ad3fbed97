import { spawnSync } from "node:child_process";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientsOf, grpcClients, refusal, signUp, uniqueEmail } from "../support/builders.ts";
import { startHttpTarget } from "../support/http-target.ts";
import { documentedMetrics, metricNamesIn } from "../support/metric-names.ts";
import { mirrorReport } from "../support/mirror-reports.ts";
import { hasPromtool } from "../support/prometheus-rules.ts";
import { type Scrape, scrape } from "../support/scrape.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";
import { openWatch } from "../support/watch.ts";

const promtool = await hasPromtool();
const KEY = "a-key-for-metrics-of-the-test";
const CALLS = "signet_calls_total";
const SECONDS = "signet_call_duration_seconds";

let opened: SiteOnService;
const metrics = (): Promise<Scrape> => scrape(`${opened.service.url}/metrics`, KEY);

beforeAll(async () => {
  opened = await openSiteOnService({
    SIGNET_METRICS_KEY: KEY,
    SIGNET_INTERNAL_HOSTS: "127.0.0.1",
    SIGNET_RATE_LIMIT_PERCENT: "100",
  });
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("GET /metrics", () => {
  test.each([
    ["no key", undefined],
    ["another key", `Bearer ${KEY}2`],
    ["the key by another scheme", `Basic ${KEY}`],
  ])("refuses %s", async (_name, authorization) => {
    const headers = authorization === undefined ? {} : { authorization };
    const response = await fetch(`${opened.service.url}/metrics`, { headers });

    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    expect(await response.text()).not.toContain("signet_");
  });

  test("names everything by signet_, and explains it", async () => {
    const { types, helps } = await metrics();

    expect(types.size).toBeGreaterThan(50);
    expect([...helps.keys()].toSorted()).toEqual([...types.keys()].toSorted());
    expect([...types.keys()].filter((name) => !name.startsWith("signet_"))).toEqual([]);
    expect([...helps.values()].filter((help) => help.length < 5)).toEqual([]);
  });

  test("has what Node tells of itself", async () => {
    const scraped = await metrics();

    expect(scraped.sum("signet_process_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect(scraped.types.get("signet_nodejs_eventloop_lag_seconds")).toBe("gauge");
  });
});

describe("calls", () => {
  test("are counted by RPC, code and reason, whichever way they come in", async () => {
    const rpc = "signet.v1.UserService/GetUser";
    const json = createConnectTransport({
      baseUrl: opened.service.url,
      httpVersion: "1.1",
      useBinaryFormat: false,
    });
    const overGrpc = opened.site.backend;
    const overJson = clientsOf(json, opened.site.key);
    const { userId } = await signUp(overGrpc);
    const before = await metrics();

    const load = Array.from({ length: 100 }, (_, n) => (n % 2 === 0 ? overGrpc : overJson));
    await Promise.all(load.map(({ users }) => users.getUser({ userId })));
    const missing = { userId: "01890a5d-ac96-774b-bcce-b302099a8057" };
    for (const { users } of [overGrpc, overJson]) await refusal(users.getUser(missing));
    const after = await metrics();

    const grown = (name: string, labels: Readonly<Record<string, string>>) =>
      after.sum(name, labels) - before.sum(name, labels);
    expect(grown(CALLS, { rpc, code: "ok", reason: "" })).toBe(100);
    expect(grown(CALLS, { rpc, code: "not_found", reason: "user_not_found" })).toBe(2);
    expect(grown(CALLS, { rpc })).toBe(102);
    expect(grown(`${SECONDS}_count`, { rpc })).toBe(102);
    expect(grown(`${SECONDS}_bucket`, { rpc, le: "+Inf" })).toBe(102);
    expect(grown(`${SECONDS}_sum`, { rpc })).toBeGreaterThan(0);
    expect(after.sum("signet_calls_under_way", { rpc })).toBe(0);
  });

  test("cannot add labels: of what is made up there is no series", async () => {
    const { url } = opened.service;
    const headers = { authorization: `Bearer ${opened.site.key}` };
    for (const path of ["signet.v1.UserService/Nonsense", "made.up.Service/GetUser", "nonsense"]) {
      await fetch(`${url}/${path}`, { method: "POST", headers });
    }

    const { text } = await metrics();

    expect(text).not.toMatch(/[Nn]onsense|made\.up/);
  });

  test("over a limit show whose limit it was", async () => {
    const anonymous = grpcClients(opened.service.url);
    const { siteId } = opened.site;
    const identifier = { case: "email", value: uniqueEmail() } as const;
    const login = () => refusal(anonymous.auth.login({ siteId, identifier, password: "x" }));
    const before = await metrics();
    const refused = await until(async () => {
      const reasons = await Promise.all(Array.from({ length: 50 }, login));
      return reasons.some(({ reason }) => reason === "RATE_LIMITED");
    }, 60_000);
    const after = await metrics();

    expect(refused).toBe(true);
    const name = "signet_rate_limit_refusals_total";
    expect(after.sum(name, { by: "source" })).toBeGreaterThan(before.sum(name, { by: "source" }));
    expect(after.sum(CALLS, { reason: "rate_limited" })).toBeGreaterThan(0);
  });
});

describe("what is at work", () => {
  test("shows: passwords, pools, the log and its reader", async () => {
    await signUp(opened.site.backend);
    const scraped = await until(async () => {
      const now = await metrics();
      const isRead = now.sum("signet_reader_position") === now.sum("signet_change_log_head");
      return isRead && now.sum("signet_changes_unnumbered") === 0 ? now : undefined;
    });

    expect(scraped.sum("signet_hashes_total")).toBeGreaterThan(1);
    expect(scraped.sum("signet_hash_seconds")).toBeGreaterThan(0);
    expect(scraped.sum("signet_database_up")).toBe(1);
    expect(scraped.sum("signet_reader_position")).toBeGreaterThan(0);
    expect(scraped.sum("signet_database_pool_open", { pool: "calls" })).toBeGreaterThan(0);
    expect(scraped.sum("signet_database_pool_size_max", { pool: "calls" })).toBe(20);
  });

  test("shows streams by kind while they are open", async () => {
    const { backend } = opened.site;
    const before = await metrics();
    await using watch = openWatch(backend);
    await watch.next("hello");
    const during = await metrics();
    await watch[Symbol.asyncDispose]();

    const open = (scraped: Scrape) => scraped.sum("signet_streams", { kind: "users" });
    expect(open(during) - open(before)).toBe(1);
    await until(async () => open(await metrics()) === open(before));
  });

  test("shows mails that were sent, and jobs", async () => {
    await opened.site.backend.auth.register({ email: uniqueEmail(), password: "correct horse 7" });

    await until(async () => (await metrics()).sum("signet_mails_total", { outcome: "sent" }) > 0);

    expect((await metrics()).sum("signet_jobs_total", { outcome: "succeeded" })).toBeGreaterThan(0);
  });
});

describe("what follows a Site", () => {
  test("shows how far each mirror is behind", async () => {
    const { siteId, backend } = opened.site;
    await signUp(backend);
    const report = mirrorReport({ foreignWrites: 3n });
    await backend.sync.reportMirror(report);

    const labels = { site: siteId, mirror: report.id };
    const scraped = await until(async () => {
      const now = await metrics();
      return now.sum("signet_mirror_lag_changes", labels) > 0 ? now : undefined;
    });

    expect(scraped.sum("signet_mirrors")).toBeGreaterThan(0);
    expect(scraped.sum("signet_mirror_lag_seconds", labels)).toBeGreaterThan(0);
    expect(scraped.sum("signet_mirror_foreign_writes_total", labels)).toBe(3);
    expect(scraped.sum("signet_mirror_diverged", labels)).toBe(0);
  });

  test("shows webhooks whose receivers fail", async () => {
    await using receiver = await startHttpTarget((_request, response) => {
      response.writeHead(503).end();
    });
    const operator = grpcClients(opened.service.url, opened.service.operatorKey);
    const { siteId, backend } = opened.site;
    await operator.sync.createWebhook({ siteId, url: `${receiver.url}/hook`, label: "down" });
    await signUp(backend);

    const scraped = await until(async () => {
      const now = await metrics();
      return now.sum("signet_webhook_deliveries", { state: "failing" }) > 0 ? now : undefined;
    });

    expect(scraped.sum("signet_webhook_attempts_total", { outcome: "failed" })).toBeGreaterThan(0);
    expect(scraped.sum("signet_webhooks", { state: "enabled" })).toBe(1);
    expect(scraped.sum("signet_webhook_delay_seconds")).toBeGreaterThan(0);
  });
});

describe("what is written about metrics", () => {
  test("is a table of all of them, with their types", async () => {
    const documented = documentedMetrics("docs/guides/observability.md");
    const { types } = await metrics();

    expect(documented).toHaveLength(types.size);
    expect(new Map(documented.map(({ name, type }) => [name, type]))).toEqual(types);
  });

  test.each([
    "examples/grafana-dashboard.json",
    "examples/prometheus-alerts.yml",
    "docs/guides/observability.md",
  ])("names in %s none that is not there", async (file) => {
    const { types, series } = await metrics();
    const named = metricNamesIn(file);

    // One without values has no series, and a histogram has several.
    const missing = [...named].filter((name) => !types.has(name) && !series.has(name));
    expect(missing).toEqual([]);
    expect(named.size).toBeGreaterThan(15);
  });

  test("is shown by the dashboard, but for what Node tells besides", async () => {
    const { types } = await metrics();
    const shown = [...metricNamesIn("examples/grafana-dashboard.json")];

    const own = [...types.keys()].filter((name) => !/^signet_(process|nodejs)_/.test(name));
    const isShown = (name: string) => shown.some((one) => one.startsWith(name));
    expect(own.length).toBeGreaterThan(30);
    expect(own.filter((name) => !isShown(name))).toEqual([]);
  });

  test.skipIf(!promtool)("is what Prometheus reads", async () => {
    const { text } = await metrics();
    const checked = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });

    // It also has an opinion on the names of Node's metrics, which are prom-client's.
    const problems = checked.stderr
      .split("\n")
      .filter((line) => !/^(signet_nodejs_.*)?$/.test(line));
    expect(problems).toEqual([]);
  });
});
