import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import {
  type HostileTrial,
  openHostileTrial,
  runHostileInputs,
  type SendInput,
  tallyLine,
} from "./hostile-trial.ts";

/** Set by variables, so that a run can be had again. */
const INPUTS = Number(process.env.HOSTILE_INPUTS ?? 100_000);
const SEED = Number(process.env.HOSTILE_SEED ?? randomInt(2 ** 31));
/** A machine with much else to do takes minutes for so many. */
const MS_MAX = 3_600_000;

interface HostileCalls extends Disposable {
  readonly send: SendInput;
}

/** Tests one kind of input after another in its long form, each on a service of its own. */
export function testLong<Kind extends string>(
  what: string,
  kinds: readonly Kind[],
  open: (trial: HostileTrial, kind: Kind, seed: number) => HostileCalls,
): void {
  process.stdout.write(`hostile ${what}: HOSTILE_SEED=${SEED} HOSTILE_INPUTS=${INPUTS}\n`);

  test.each(kinds)(
    `hostile ${what}: %s is refused, and harms no one else`,
    async (kind) => {
      await using trial = await openHostileTrial();
      using calls = open(trial, kind, SEED);
      await runHostileInputs(trial, INPUTS / 20, calls.send); // What any process takes to warm up.

      const tally = await runHostileInputs(trial, INPUTS, calls.send);

      process.stdout.write(`${tallyLine(kind, tally)}\n`);
      expect(tally.faults).toEqual([]);
      expect(tally.grownMegabytes).toBeLessThan(100);
      expect(trial.errors()).toEqual([]);
    },
    MS_MAX,
  );
}
