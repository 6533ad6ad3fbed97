/** Wakes one who waits. Rings while nobody waits are kept, as one. */
export interface Bell {
  ring(): void;
  /** Waits until it is rung, or for so long. */
  wait(timeoutMs: number): Promise<void>;
}

/** Creates a bell. */
export function createBell(): Bell {
  let isRung = false;
  let wake: (() => void) | undefined;
  return {
    ring() {
      isRung = true;
      wake?.();
    },
    async wait(timeoutMs) {
      if (!isRung) {
        const { promise, resolve } = Promise.withResolvers<void>();
        const timer = setTimeout(resolve, timeoutMs);
        wake = resolve;
        await promise;
        clearTimeout(timer);
        wake = undefined;
      }
      isRung = false;
    },
  };
}
