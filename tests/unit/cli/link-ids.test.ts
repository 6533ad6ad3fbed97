import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { newUserIdOf } from "../../../src/cli/link-ids.ts";

const run = { runId: randomUUID(), startTime: new Date("2026-05-01T12:00:00.123Z") };

test("the id of a run's User is the same each time, and no other run's or row's", () => {
  const id = newUserIdOf(run, "42");

  expect(newUserIdOf({ ...run }, "42")).toBe(id);
  expect(newUserIdOf(run, "43")).not.toBe(id);
  expect(newUserIdOf({ ...run, runId: randomUUID() }, "42")).not.toBe(id);
});

test("it is a UUIDv7 of the time at which the run began", () => {
  const ids = Array.from({ length: 200 }, (_, row) => newUserIdOf(run, `${row}`));

  const hex = run.startTime.getTime().toString(16).padStart(12, "0");
  const form = new RegExp(`^${hex.slice(0, 8)}-${hex.slice(8)}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-`);
  expect(ids.filter((id) => !form.test(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
});
