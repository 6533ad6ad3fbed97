import type { Weakening } from "./weakening.ts";

export const raceWeakenings: readonly Weakening[] = [];
