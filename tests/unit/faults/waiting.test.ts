import { expect, test } from "vitest";
import { rejection, until } from "../../support/waiting.ts";

test("a wait ends at its signal, whatever has kept it waiting", async () => {
  const reason = new Error("interrupted");
  const ended = new AbortController();
  let checks = 0;
  const fail = () => {
    checks += 1;
    if (checks === 2) ended.abort(reason);
    throw new Error("not yet");
  };

  expect(await rejection(until(fail, 60_000, ended.signal))).toBe(reason);
  expect(checks).toBe(2);
});
