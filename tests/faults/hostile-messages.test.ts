import { expect, test } from "vitest";
import { hostileCalls } from "../support/hostile-calls.ts";
import { LONG_RUN, LONG_RUN_MS_MAX } from "../support/hostile-long.ts";
import { PROTOCOLS } from "../support/hostile-requests.ts";
import { openHostileTrial, runHostileInputs, tallyLine } from "../support/hostile-trial.ts";

const { seed, inputs } = LONG_RUN;
process.stdout.write(`hostile messages: HOSTILE_SEED=${seed} HOSTILE_INPUTS=${inputs}\n`);

test.each(PROTOCOLS)(
  "hostile messages over %s are the client's fault, and harm no one else",
  async (protocol) => {
    await using trial = await openHostileTrial();
    using calls = hostileCalls(trial, protocol, seed);
    await runHostileInputs(trial, inputs / 20, calls.send); // What any process takes to warm up.

    const tally = await runHostileInputs(trial, inputs, calls.send);

    process.stdout.write(`${tallyLine(protocol, tally)}\n`);
    expect(tally.faults).toEqual([]);
    expect(tally.grownMegabytes).toBeLessThan(100);
    expect(trial.errors()).toEqual([]);
  },
  LONG_RUN_MS_MAX,
);
