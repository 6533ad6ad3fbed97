import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hostileCalls, TARGETS } from "../support/hostile-calls.ts";
import { PROTOCOLS } from "../support/hostile-requests.ts";
import {
  type HostileTrial,
  openHostileTrial,
  runHostileInputs,
  tallyLine,
} from "../support/hostile-trial.ts";

/** The long form is in `tests/faults`, with the same inputs and more of them. */
const SEED = 20_261_121;
const INPUTS = 1_000;

let trial: HostileTrial;
beforeAll(async () => {
  trial = await openHostileTrial();
});
afterAll(() => trial[Symbol.asyncDispose]());

test("every field of every RPC is aimed at", () => {
  expect(TARGETS.length).toBeGreaterThan(500);
  expect(INPUTS).toBeGreaterThanOrEqual(TARGETS.length);
});

describe.each(PROTOCOLS)("hostile messages over %s", (protocol) => {
  test("are answered with errors of the client's, and harm no one else", async () => {
    using calls = hostileCalls(trial, protocol, SEED);

    const tally = await runHostileInputs(trial, INPUTS, calls.send);

    expect(tally.faults, tallyLine(protocol, tally)).toEqual([]);
    expect(tally.grownMegabytes).toBeLessThan(100);
    expect(trial.errors()).toEqual([]);
  });
});
