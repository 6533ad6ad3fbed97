import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** Starts one PostgreSQL for a whole run; test files clone its migrated template. */
const postgres = "tests/support/global-setup.ts";

/** One project per kind of test: `tests/<name>`, with how long one test may take. */
function project(name: string, timeoutMs: number, globalSetup: readonly string[] = []) {
  return {
    test: {
      name,
      include: [`tests/${name}/**/*.test.ts`],
      globalSetup: [...globalSetup],
      testTimeout: timeoutMs,
      hookTimeout: Math.max(timeoutMs, 30_000),
    },
  };
}

export default defineConfig({
  test: {
    // Most tests wait for something else much of the time: fewer workers would leave cores idle.
    maxWorkers: Math.max(2, availableParallelism()),
    projects: [
      project("unit", 30_000),
      project("architecture", 30_000),
      project("integration", 60_000, [postgres]),
      project("e2e", 120_000, [postgres]),
      project("seeds", 120_000, [postgres]),
      project("faults", 300_000, [postgres]),
    ],
  },
});
