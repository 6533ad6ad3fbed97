import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSite, type TestSite } from "../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { type Scrape, scrape } from "../support/scrape.ts";
import { freePort, type TestService } from "../support/service.ts";
import { until } from "../support/waiting.ts";
import { clientsAtWorker, startWorkers, workersOf } from "../support/workers.ts";

const GET_SITE = "signet.v1.SiteService/GetSite";

let database: TestDatabase;
let folder: string;
let service: TestService;
let site: TestSite;
let url: string;
const metrics = (): Promise<Scrape> => scrape(url);

beforeAll(async () => {
  database = await openTestDatabase();
  folder = await mkdtemp(join(tmpdir(), "signet-metrics-"));
  const address = `127.0.0.1:${await freePort()}`;
  url = `http://${address}/metrics`;
  const env = { SIGNET_METRICS_ADDRESS: address, SIGNET_DATA_DIR: folder };
  service = await startWorkers(2, { databaseUrl: database.appUrl, env });
  site = await openSite(createGrpcTransport({ baseUrl: service.url }), service.operatorKey);
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

describe("metrics of two workers, at an address of their own", () => {
  test("tell of both, whichever is asked", async () => {
    const ids = workersOf(service).map(({ worker }) => worker);
    const before = await metrics();
    for (const worker of ids) {
      const { sites } = await clientsAtWorker(service, site.key, worker);
      await Promise.all(Array.from({ length: 10 }, () => sites.getSite({})));
    }
    const scrapes = await Promise.all(Array.from({ length: 6 }, metrics));

    for (const scraped of scrapes) {
      for (const worker of ids) {
        const labels = { rpc: GET_SITE, worker: `${worker}` };
        const calls = (one: Scrape) => one.sum("signet_calls_total", labels);
        expect(calls(scraped) - calls(before)).toBeGreaterThanOrEqual(10);
      }
      expect(scraped.labelValues("signet_process_resident_memory_bytes", "worker").size).toBe(2);
    }
  });

  test("tell once what is the same for all", async () => {
    const scraped = await metrics();

    expect(scraped.labelValues("signet_change_log_head", "worker")).toEqual(new Set([""]));
    expect(scraped.sum("signet_database_up")).toBe(1);
  });

  test("are nowhere else, and nothing else is there", async () => {
    const [elsewhere, other, posted] = await Promise.all([
      fetch(`${service.url}/metrics`),
      fetch(url.replace("/metrics", "/healthz")),
      fetch(url, { method: "POST" }),
    ]);

    expect([elsewhere.status, other.status, posted.status]).toEqual([404, 404, 405]);
    for (const { headers } of [elsewhere, other, posted]) {
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
  });
});

describe("the level of the log", () => {
  test("follows a file in every process, and goes back without it", async () => {
    const file = join(folder, "log-level");
    const changes = (level: string) =>
      service.stderr().match(new RegExp(`"level":"${level}","msg":"log level changed"`, "g"))
        ?.length ?? 0;

    await writeFile(file, "debug\n");
    await until(() => changes("debug") === 3); // The primary and two workers.
    await writeFile(file, "no level");
    await until(() => changes("info") === 3);
    await rm(file);

    const id = "after-the-file";
    const { sites } = await clientsAtWorker(service, site.key, workersOf(service)[0]?.worker ?? 0);
    await sites.getSite({}, { headers: { "x-request-id": id } });
    await until(() => service.stderr().includes(`"requestId":"${id}"`));
  });
});
