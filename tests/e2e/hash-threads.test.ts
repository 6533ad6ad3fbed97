import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { startService } from "../support/service.ts";

let database: TestDatabase;

beforeAll(async () => {
  database = await openTestDatabase();
});

afterAll(() => database[Symbol.asyncDispose]());

// What threads there are, and how they are ranked, is only told by Linux.
describe.runIf(process.platform === "linux")("threads of the service", () => {
  test.each([
    { given: "3", size: 3 + 4 },
    { given: "", size: availableParallelism() + 4 },
  ])("has $size of libuv at low priority for SIGNET_HASH_THREADS=$given", async (each) => {
    const env = { SIGNET_HASH_THREADS: each.given, UV_THREADPOOL_SIZE: "2", LOG_LEVEL: "debug" };
    await using service = await startService({ databaseUrl: database.appUrl, env });

    const lowered = /"threads":(\d+),"msg":"passwords are hashed at low priority"/;
    expect(Number(lowered.exec(service.stderr())?.[1])).toBe(each.size);
  });

  test("leaves the main thread at the priority that it has", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      "--input-type=module",
      "--eval",
      `import { readFile } from "node:fs/promises";
       import { getPriority } from "node:os";
       import { readdirSync } from "node:fs";
       import { lowerPoolPriority } from "./src/crypto/hash-threads.ts";
       const before = getPriority();
       await readFile("package.json"); // Starts libuv's threads.
       const lowered = lowerPoolPriority();
       const threads = readdirSync("/proc/self/task").map(Number);
       const below = threads.filter((thread) => getPriority(thread) > before).length;
       const changed = getPriority() - before;
       console.log(JSON.stringify({ changed, missed: below - lowered, lowered }));`,
    ]);

    expect(JSON.parse(stdout)).toEqual({ changed: 0, missed: 0, lowered: expect.any(Number) });
    expect(JSON.parse(stdout).lowered).toBeGreaterThan(0);
  });
});
