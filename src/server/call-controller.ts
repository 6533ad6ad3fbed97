/** Ends a call before its answer is complete. */
export interface CallController {
  /** Has an effect once, and none once the call has ended. */
  abort(reason: () => Error): void;
  /** The call has ended by itself. */
  end(): void;
  /** Made when it is asked for: a signal with a listener costs as much as a short call. */
  signal(): AbortSignal;
  /** Waits for a promise, or fails once the call is ended; for one promise at a time. */
  race<T>(work: Promise<T>): Promise<T>;
}

/** Creates the controller of one call. */
export function createCallController(): CallController {
  let reason: Error | undefined;
  let controller: AbortController | undefined;
  let hasEnded = false;
  let fail: ((reason: Error) => void) | undefined;
  return {
    abort(why) {
      if (hasEnded) return;
      hasEnded = true;
      reason = why();
      controller?.abort(reason);
      fail?.(reason);
    },
    end() {
      hasEnded = true;
    },
    signal() {
      if (controller === undefined) {
        controller = new AbortController();
        if (reason !== undefined) controller.abort(reason);
      }
      return controller.signal;
    },
    race(work) {
      return new Promise((resolve, reject) => {
        fail = reject;
        if (reason !== undefined) reject(reason);
        work.then(resolve, reject);
      });
    },
  };
}
