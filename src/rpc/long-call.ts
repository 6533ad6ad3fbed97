import type { Caller } from "../model/caller.ts";
import type { SiteId } from "../model/id.ts";
import type { StreamEnds } from "./stream-ends.ts";

/** A call that may last for long, and ends early with its caller's key or Site, or the process. */
export interface LongCall {
  /** Waits for something, but no longer than the call may go on. @throws what ends the call */
  race<T>(work: Promise<T>): Promise<T>;
  /** Has to be called at its end. */
  release(): void;
}

/**
 * Has a call watched as streams are.
 *
 * What ends it does so at the next {@link LongCall.race}: work that is under way comes to its end.
 */
export function beginLongCall(ends: StreamEnds, siteId: SiteId, caller: Caller): LongCall {
  let ended: { readonly error: unknown } | undefined;
  let interrupt: ((error: unknown) => void) | undefined;
  const release = ends.watch({
    kind: "transfer",
    siteId,
    caller,
    ageEndMs: Number.POSITIVE_INFINITY,
    end({ error }) {
      ended ??= { error };
      interrupt?.(ended.error);
    },
  });
  return {
    race: (work) =>
      new Promise((resolve, reject) => {
        interrupt = reject;
        work.then(resolve, reject);
        if (ended) reject(ended.error);
      }),
    release,
  };
}
