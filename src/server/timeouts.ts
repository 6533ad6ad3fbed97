/** A time that is running. */
export interface RunningTime {
  readonly endMs: number;
  readonly expire: () => void;
}

/** Times that all last equally long. */
export interface Timeouts {
  start(expire: () => void): RunningTime;
  /** Has no effect on a time that is over. */
  stop(time: RunningTime): void;
}

/**
 * Watches many times with one timer: a timer of Node for each call costs several times as much,
 * and hardly one ever fires. What lasts equally long ends in the order in which it began.
 */
export function createTimeouts(ms: number): Timeouts {
  const running = new Set<RunningTime>();
  let isWaiting = false;

  function check(): void {
    isWaiting = false;
    const nowMs = performance.now();
    for (const time of running) {
      if (time.endMs > nowMs) {
        wait(time.endMs - nowMs);
        return;
      }
      running.delete(time);
      time.expire();
    }
  }

  function wait(delayMs: number): void {
    if (isWaiting) return;
    isWaiting = true;
    // A timer counts whole milliseconds; one too early would only have to wait again.
    setTimeout(check, Math.ceil(delayMs)).unref();
  }

  return {
    start(expire) {
      const time = { endMs: performance.now() + ms, expire };
      running.add(time);
      wait(ms);
      return time;
    },
    stop(time) {
      running.delete(time);
    },
  };
}
