import { randomInt } from "node:crypto";

/** How long runs are set up, by variables, so that one can be had again. */
export const LONG_RUN = {
  inputs: Number(process.env.HOSTILE_INPUTS ?? 100_000),
  seed: Number(process.env.HOSTILE_SEED ?? randomInt(2 ** 31)),
} as const;

/** A machine with much else to do takes minutes for so many. */
export const LONG_RUN_MS_MAX = 3_600_000;
