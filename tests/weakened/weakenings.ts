import { accessWeakenings } from "./access-weakenings.ts";
import { answerWeakenings } from "./answer-weakenings.ts";
import { faultWeakenings } from "./fault-weakenings.ts";
import { inputWeakenings } from "./input-weakenings.ts";
import { linkWeakenings } from "./link-weakenings.ts";
import { processWeakenings } from "./process-weakenings.ts";
import { raceWeakenings } from "./race-weakenings.ts";
import { secretWeakenings } from "./secret-weakenings.ts";
import { startWeakenings } from "./start-weakenings.ts";
import type { Weakening } from "./weakening.ts";

/** Every weakened build, by what it is about. */
export const WEAKENINGS: readonly Weakening[] = [
  ...faultWeakenings,
  ...linkWeakenings,
  ...raceWeakenings,
  ...processWeakenings,
  ...inputWeakenings,
  ...accessWeakenings,
  ...secretWeakenings,
  ...startWeakenings,
  ...answerWeakenings,
];
