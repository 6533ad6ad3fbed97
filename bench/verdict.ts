import type { Figure } from "./row.ts";
import { medianIndex, type Spread, spreadOf } from "./statistics.ts";

/** What the rounds say about a figure. */
export interface Verdict {
  readonly row: string;
  /** Signet in the median round. */
  readonly value: number;
  readonly unit: string;
  /** The yardstick in that round. */
  readonly yardstick: number;
  /** Signet as a multiple of its yardstick. */
  readonly ratio: number;
  /** null: none is set. */
  readonly goal: number | null;
  readonly met: boolean | null;
}

/** A verdict with what only people read. */
export interface Finding extends Verdict {
  readonly yardstickName: string;
  /** The ratios of all rounds. */
  readonly ratios: Spread;
  readonly higherIsBetter: boolean;
}

/**
 * Judges a figure by its median round: the one whose ratio is in the middle. Value, yardstick and
 * ratio are of that one round, so that they belong together.
 */
export function judge(figure: Figure): Finding {
  const { row, unit, samples, yardstick, goal } = figure;
  const ratios = samples.map((sample, round) => sample / (yardstick.samples[round] ?? Number.NaN));
  const median = medianIndex(ratios);
  const [value, beside, ratio] = [samples[median], yardstick.samples[median], ratios[median]];
  if (value === undefined || beside === undefined || ratio === undefined) {
    throw new Error(`${row}: no round was measured`);
  }
  const higherIsBetter = unit.endsWith("/s");
  const isMet = (atGoal: number) => (higherIsBetter ? ratio >= atGoal : ratio <= atGoal);
  return {
    row,
    value,
    unit,
    yardstick: beside,
    ratio,
    goal: goal ?? null,
    met: goal === undefined ? null : isMet(goal),
    yardstickName: yardstick.name,
    ratios: spreadOf(ratios),
    higherIsBetter,
  };
}
