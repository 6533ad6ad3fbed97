import type { Weakening } from "./weakening.ts";

export const accessWeakenings: readonly Weakening[] = [];
