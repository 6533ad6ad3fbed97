/** Whether this process should be sent calls. */
export interface Readiness {
  isReady(): boolean;
  /** What is still missing, in alphabetical order. */
  missing(): readonly string[];
  /** Notes that a condition holds, or no longer does. */
  set(condition: string, holds: boolean): void;
  /** Calls the listener after every change of `isReady`; returns how to stop that. */
  onChange(listener: (isReady: boolean) => void): () => void;
}

/** Makes a readiness that lacks each of the given conditions, such as `database`. */
export function createReadiness(conditions: readonly string[]): Readiness {
  const missing = new Set(conditions);
  const listeners = new Set<(isReady: boolean) => void>();

  return {
    isReady: () => missing.size === 0,
    missing: () => [...missing].sort(),
    set(condition, holds) {
      const before = missing.size === 0;
      if (holds) missing.delete(condition);
      else missing.add(condition);
      const isReady = missing.size === 0;
      if (before !== isReady) for (const listener of [...listeners]) listener(isReady);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
