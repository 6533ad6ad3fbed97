/** Lets a few at a time do something, in the order in which they came. */
export interface Turns {
  /** Does the work once it is its turn; what it holds, it gives back before it returns. */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** How many are at work. */
  active(): number;
}

/** Creates the turns: at most `activeMax` at once. */
export function createTurns(activeMax: number): Turns {
  const waiting: (() => void)[] = [];
  let active = 0;

  async function take(): Promise<void> {
    if (active < activeMax) {
      active += 1;
      return;
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  }

  /** The place goes from hand to hand, so that nobody who comes now gets in before the first. */
  function giveBack(): void {
    const next = waiting.shift();
    if (next) next();
    else active -= 1;
  }

  return {
    async run(work) {
      await take();
      try {
        return await work();
      } finally {
        giveBack();
      }
    },
    active: () => active,
  };
}
