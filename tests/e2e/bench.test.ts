import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hasNginx } from "../../bench/nginx.ts";
import { tellsUsage } from "../../bench/process-usage.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "signet-bench-test-"));
  await chmod(folder, 0o711); // As root, PostgreSQL passes through it under another account.
});

afterEach(() => rm(folder, { recursive: true }));

describe("npm run bench", () => {
  test("measures every row against its yardsticks and leaves nothing behind", async () => {
    const { stdout, stderr, code } = await runBench(
      "--rounds",
      "1",
      "--round-ms",
      "100",
      "--users",
      "2000",
      "--json",
    );

    expect(code, stderr).toBe(0);
    const lines = stdout.trimEnd().split("\n");
    const rows = lines.map((line): Record<string, unknown> => JSON.parse(line));
    expect(rows.map(({ row }) => row)).toEqual([
      "validate token: throughput",
      "validate token: throughput beside grpc-js",
      "validate token: p50 under full load",
      "validate token: p99 under full load",
      "look up a User: throughput",
      "look up a User: p99 under full load",
      "tokens: local check of a seen token",
      "tokens: local check beside a Map lookup",
      ...(hasNginx() ? ["forward-auth: throughput through nginx"] : []),
      "login: throughput",
      "login: throughput beside all cores at once",
      "login: ValidateToken during a flood (p99)",
      "login: shed answers (p99)",
      "login: another Site during a flood",
      "sync: commit to subscriber at 1/s",
      "sync: commit to subscriber at 1/s, p99",
      "sync: commit to subscriber at 100/s",
      "sync: commit to subscriber at 100/s, p99",
      "sync: commit to subscriber at 1,000/s",
      "sync: commit to subscriber at 1,000/s, p99",
      "sync: write throughput with changes",
      "sync: fan-out to 1,000 streams",
      "sync: fan-out to 10,000 streams",
      "sync: memory per stream, of 10,000",
      "sync: memory per stream, of 10,000, beside bare",
      "sync: snapshot into a mirror",
      "sync: reconcile 100 differences",
      "users: import with password hashes",
      "users: look-up by address",
      "users: look-up by username",
      "users: first page of a list",
      "users: first page by the beginning of an address",
      "users: first page of those created since",
      ...[2, 4]
        .filter((count) => count <= availableParallelism())
        .flatMap((count) => [
          `processes: throughput of ${count}`,
          ...(tellsUsage() ? [`processes: processor time of a call with ${count}`] : []),
        ]),
    ]);
    for (const row of rows) {
      expect(Object.keys(row)).toEqual(FIELDS);
      expect(row.value).toBeGreaterThan(0);
      expect(Number(row.value) / Number(row.yardstick) / Number(row.ratio)).toBeCloseTo(1, 2);
    }
    expect(await readdir(folder)).toEqual([]);
  }, 300_000);

  test("clears away what it has started when it is interrupted", async () => {
    const bench = startBench("--quick", "login");
    const code = ended(bench);
    for await (const chunk of bench.stderr) if (`${chunk}`.includes("measuring")) break;

    bench.kill("SIGINT");

    expect(await code).toBe(130);
    expect(await readdir(folder)).toEqual([]);
  });

  test("fails for a row that there is not", async () => {
    const { stderr, code } = await runBench("no such row");

    expect(code).toBe(1);
    expect(stderr).toContain("no row has such a name");
  });
});

const FIELDS = ["row", "value", "unit", "yardstick", "ratio", "goal", "met"];

async function runBench(...args: readonly string[]) {
  const bench = startBench(...args);
  const [stdout, stderr, code] = await Promise.all([
    text(bench.stdout),
    text(bench.stderr),
    ended(bench),
  ]);
  return { stdout, stderr, code };
}

function startBench(...args: readonly string[]) {
  return spawn(process.execPath, ["bench/main.ts", ...args], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function ended(bench: ReturnType<typeof startBench>): Promise<number | null> {
  const [code] = await once(bench, "exit");
  return code;
}
