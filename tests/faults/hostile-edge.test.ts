import { expect, test } from "vitest";
import { EDGES, hostileEdge } from "../support/hostile-edge.ts";
import { LONG_RUN, LONG_RUN_MS_MAX } from "../support/hostile-long.ts";
import { openHostileTrial, runHostileInputs, tallyLine } from "../support/hostile-trial.ts";

const { seed, inputs } = LONG_RUN;
process.stdout.write(`hostile edge: HOSTILE_SEED=${seed} HOSTILE_INPUTS=${inputs}\n`);

test.each(EDGES)(
  "hostile inputs to %s are refused, and harm no one else",
  async (edge) => {
    await using trial = await openHostileTrial();
    using calls = hostileEdge(trial, edge, seed);
    await runHostileInputs(trial, inputs / 20, calls.send); // What any process takes to warm up.

    const tally = await runHostileInputs(trial, inputs, calls.send);

    process.stdout.write(`${tallyLine(edge, tally)}\n`);
    expect(tally.faults).toEqual([]);
    expect(tally.grownMegabytes).toBeLessThan(100);
    expect(trial.errors()).toEqual([]);
  },
  LONG_RUN_MS_MAX,
);
