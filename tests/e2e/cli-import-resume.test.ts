import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSite, grpcClients } from "../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { runSignet } from "../support/programs.ts";
import { createServiceKeys, startService } from "../support/service.ts";
import { until } from "../support/waiting.ts";

const ROWS = 10_000;

let database: TestDatabase;
let folder: string;

beforeAll(async () => {
  database = await openTestDatabase();
  folder = await mkdtemp(join(tmpdir(), "signet-resume-"));
});

afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

test("signet user import goes on by itself when the service is killed and comes back", async () => {
  const options = { databaseUrl: database.appUrl, keys: createServiceKeys() };
  const first = await startService(options);
  const operator = grpcClients(first.url, first.operatorKey);
  const siteId = await createSite(operator);
  const path = join(folder, "users.ndjson");
  const lines = Array.from({ length: ROWS }, (_, n) => `{"email": "user${n}@example.com"}\n`);
  await writeFile(path, lines.join(""));

  const importing = runSignet(["user", "import", path, "--site", siteId, "--json"], {
    SIGNET_URL: first.url,
    SIGNET_KEY: first.operatorKey,
  });
  await until(async () => (await operator.users.countUsers({ siteId })).count > 0n);
  await first.stop("SIGKILL");
  const second = await startService({ ...options, port: first.port });
  const { stdout, stderr, exitCode } = await importing;
  const { count } = await grpcClients(second.url, second.operatorKey).users.countUsers({ siteId });
  await second[Symbol.asyncDispose]();

  expect(stderr).toMatch(/again in \d+\.\d s/);
  expect(exitCode).toBe(0);
  const { created, unchanged, refused } = JSON.parse(stdout);
  expect([created + unchanged, refused]).toEqual([ROWS, 0]);
  expect(count).toBe(BigInt(ROWS));
});
