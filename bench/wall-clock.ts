/** Tells the time of day in milliseconds since 1970, with a resolution far below one. */
export type WallClock = () => number;

/** As many ticks as make it likely that the process was running when one of them came. */
const TICKS = 25;

/**
 * Reads the time of day finer than `Date.now` does, to compare it with times that PostgreSQL on
 * this machine has written.
 *
 * It is set by the ticks of the clock, of which the one that was seen soonest counts: a process
 * that has to wait for its turn sees them late. It drifts from then on, by less than 1 ms in a
 * minute: make one for each round.
 */
export function createWallClock(): WallClock {
  const offsetsMs = Array.from({ length: TICKS }, nextOffsetMs);
  const offsetMs = Math.max(...offsetsMs);
  return () => offsetMs + performance.now();
}

function nextOffsetMs(): number {
  const before = Date.now();
  let tick = before;
  while (tick === before) tick = Date.now();
  return tick - performance.now();
}
