import type { Weakening } from "./weakening.ts";

export const inputWeakenings: readonly Weakening[] = [];
