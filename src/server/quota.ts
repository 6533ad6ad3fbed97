/** Bounds how many of something are in use, in all and by one holder. */
export interface Quota {
  /**
   * Takes one and returns how to give it back; undefined if none is left.
   *
   * An `exempt` holder counts towards the whole only. Giving back twice has no effect.
   */
  take(holder: string, options?: { readonly exempt?: boolean }): (() => void) | undefined;
  /** How many are in use. */
  readonly used: number;
}

/** Makes a quota of which nothing is in use. */
export function createQuota(max: { readonly total: number; readonly perHolder: number }): Quota {
  const usedBy = new Map<string, number>();
  let used = 0;

  function giveBack(holder: string): void {
    used -= 1;
    const left = (usedBy.get(holder) ?? 1) - 1;
    if (left === 0) usedBy.delete(holder);
    else usedBy.set(holder, left);
  }

  return {
    take(holder, { exempt = false } = {}) {
      const own = usedBy.get(holder) ?? 0;
      if (used >= max.total || (!exempt && own >= max.perHolder)) return undefined;
      used += 1;
      usedBy.set(holder, own + 1);
      let held = true;
      return () => {
        if (held) giveBack(holder);
        held = false;
      };
    },
    get used() {
      return used;
    },
  };
}
