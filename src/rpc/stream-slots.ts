import { Failure } from "../model/failure.ts";

/** Counts what is open, by name and in all. */
export interface StreamSlots {
  /**
   * Takes a place and returns how to give it back; giving back twice does no harm.
   *
   * @throws {Failure} of the reason given at creation.
   */
  take(name: string): () => void;
}

/** Creates the places: at most `eachMax` of one name, and `totalMax` in all. */
export function createStreamSlots(options: {
  readonly eachMax: number;
  readonly totalMax: number;
  readonly refusal: "too_many_streams" | "catch_up_busy";
  readonly retryDelayMs: number;
}): StreamSlots {
  const { eachMax, totalMax, refusal, retryDelayMs } = options;
  const counts = new Map<string, number>();
  let total = 0;

  return {
    take(name) {
      const count = counts.get(name) ?? 0;
      if (count >= eachMax || total >= totalMax) {
        // Jitter, so that those who were refused together do not come back together.
        const delay = Math.round(retryDelayMs * (0.5 + Math.random()));
        throw new Failure(refusal, {}, { retryDelayMs: delay });
      }
      counts.set(name, count + 1);
      total += 1;
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        total -= 1;
        const rest = (counts.get(name) ?? 1) - 1;
        if (rest === 0) counts.delete(name);
        else counts.set(name, rest);
      };
    },
  };
}
