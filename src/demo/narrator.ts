/** Tells the story of the demo, each line with the time that it took. */
export interface Narrator {
  /** Tells what has just happened, and how long it took. */
  tell(ms: number, what: string): void;
  /** Does something and tells how long it took. */
  time<T>(what: string, work: () => Promise<T>): Promise<T>;
}

/** Something was not as it should be; the message says what. */
export class DemoError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DemoError";
  }
}

/** Goes on only if what is said is so. @throws {DemoError} if not. */
export function ensure(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new DemoError(`this should be so, and is not: ${what}`);
}

/** Creates the narrator, who speaks in lines. */
export function createNarrator(print: (line: string) => void): Narrator {
  const tell = (ms: number, what: string) => print(`${millisecondsText(ms).padStart(9)}  ${what}`);
  return {
    tell,
    async time(what, work) {
      const beginMs = performance.now();
      const result = await work();
      tell(performance.now() - beginMs, what);
      return result;
    },
  };
}

function millisecondsText(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
