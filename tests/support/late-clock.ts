import { existsSync } from "node:fs";

/**
 * Loaded before the service, this sets its clock ahead by two hours once the file is there that
 * LATE_CLOCK_FILE names, as if that time had passed. The database's clock, and timers, are as they
 * were.
 */
const AHEAD_MS = 2 * 3_600_000;
const LOOK_MS = 20;

const { LATE_CLOCK_FILE = "" } = process.env;
const RealDate = Date;
let aheadMs = 0;

const looking = setInterval(() => {
  if (existsSync(LATE_CLOCK_FILE)) aheadMs = AHEAD_MS;
}, LOOK_MS);
looking.unref();

globalThis.Date = class extends RealDate {
  constructor(...values: readonly unknown[]) {
    if (values.length === 0) super(RealDate.now() + aheadMs);
    else super(...(values as ConstructorParameters<DateConstructor>));
  }

  static override now(): number {
    return RealDate.now() + aheadMs;
  }
} as DateConstructor;
