import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { modelOptions, openModelTrial } from "../support/model-run.ts";

const MS_MAX = 2 * 60 * 60_000;
const options = modelOptions({
  seed: randomInt(2 ** 31),
  runs: 60,
  movesMax: 200,
  msMax: MS_MAX,
});

process.stdout.write(
  `model: MODEL_SEED=${options.seed} MODEL_RUNS=${options.runs} MODEL_MOVES=${options.movesMax}\n`,
);

test(
  "two processes answer and stream what an oracle says, after each of thousands of moves",
  async () => {
    await using trial = await openModelTrial();

    await trial.run(options);

    const counts = [...trial.played].toSorted(([, one], [, other]) => other - one);
    process.stdout.write(`${counts.map(([name, count]) => `${count} × ${name}`).join(", ")}\n`);
    expect(counts.length).toBeGreaterThan(25);
  },
  MS_MAX + 10 * 60_000,
);
