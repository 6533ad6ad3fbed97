import pg from "pg";
import { describe, expect, test } from "vitest";
import { isUnwrittenEnd } from "../../../src/jobs/job-runner.ts";

const AT_ITS_END =
  "at async completeJobs (file:///a/node_modules/graphile-worker/dist/sql/completeJobs.js:1:1)";

function databaseError(code: string, stack: string): Error {
  const error = new pg.DatabaseError("refused", 0, "error");
  return Object.assign(error, { code, stack });
}

describe("a job's end that could not be written", () => {
  test.each([
    ["the server has gone", "57P01"],
    ["too many connections are open", "53300"],
    ["the disk is full", "53100"],
    ["the statement took too long", "57014"],
    ["two transactions have locked each other out", "40P01"],
  ])("ends no process: %s", (_, code) => {
    expect(isUnwrittenEnd(databaseError(code, AT_ITS_END))).toBe(true);
  });

  test.each([
    ["a fault of ours", databaseError("42P01", AT_ITS_END)],
    ["a rejection from elsewhere", databaseError("53300", "at somewhere.js:1:1")],
    ["what is no error", { code: "53300", stack: AT_ITS_END }],
  ])("is not %s", (_, error) => {
    expect(isUnwrittenEnd(error)).toBe(false);
  });
});
