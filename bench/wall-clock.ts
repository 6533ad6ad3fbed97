/** Tells the time of day in milliseconds since 1970, with a resolution far below one. */
export type WallClock = () => number;

/**
 * Reads the time of day finer than `Date.now` does, to compare it with times that PostgreSQL on
 * this machine has written.
 *
 * It is set by the next tick of the clock and drifts from then on, by less than 1 ms in a minute:
 * make one for each round.
 */
export function createWallClock(): WallClock {
  const before = Date.now();
  let tick = before;
  while (tick === before) tick = Date.now();
  const offsetMs = tick - performance.now();
  return () => offsetMs + performance.now();
}
