import type { Weakening } from "./weakening.ts";

export const faultWeakenings: readonly Weakening[] = [];
