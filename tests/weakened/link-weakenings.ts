import type { Weakening } from "./weakening.ts";

export const linkWeakenings: readonly Weakening[] = [];
