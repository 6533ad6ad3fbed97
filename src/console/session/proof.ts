/** Asks the person in front of the screen to prove the login once more. */
export interface Proof {
  /** Resolves to true once it is proved, and to false where the person gives up. */
  readonly ask: () => Promise<boolean>;
  /** Answers everybody who has asked. */
  readonly answer: (proved: boolean) => void;
  readonly isWanted: () => boolean;
  readonly subscribe: (listener: () => void) => () => void;
}

/** Creates the meeting point of calls that need a recent login and the dialog that asks for it. */
export function createProof(): Proof {
  const listeners = new Set<() => void>();
  const waiting: ((proved: boolean) => void)[] = [];
  const tell = (): void => {
    for (const listener of listeners) listener();
  };
  return {
    ask: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        tell();
      }),
    answer(proved) {
      for (const resolve of waiting.splice(0)) resolve(proved);
      tell();
    },
    isWanted: () => waiting.length > 0,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
