import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ModelTrial, modelOptions, openModelTrial } from "../support/model-run.ts";

/** The long form is in `tests/faults`, with a new seed each time. */
const options = modelOptions({ seed: 20_261_121, runs: 5, movesMax: 60, msMax: 60_000 });
const MOVES_MIN = 30;

let trial: ModelTrial;

beforeAll(async () => {
  trial = await openModelTrial();
});

afterAll(() => trial[Symbol.asyncDispose]());

describe("two processes, compared with an oracle after each of many moves", () => {
  test(`answer and stream what they should, by MODEL_SEED=${options.seed}`, async () => {
    await trial.run(options);

    const moves = [...trial.played.values()].reduce((sum, count) => sum + count, 0);
    expect(moves).toBeGreaterThanOrEqual(MOVES_MIN);
  });
});
