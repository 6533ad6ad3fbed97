import { Code, ConnectError } from "@connectrpc/connect";

/**
 * Waits for a promise, or fails with the reason of the signal, whichever comes first.
 *
 * @throws {ConnectError} CANCELED where the signal gives no better reason.
 */
export function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(abortReason(signal));
    const settle = (): void => signal.removeEventListener("abort", abort);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
    work.then(resolve, reject).finally(settle);
  });
}

/**
 * Passes on what an iterable yields, until the signal is aborted; then it fails at once, even where
 * the source is waiting for something that never comes. The source is told to end, not awaited.
 */
export function iterateUntilAborted<T>(
  signal: AbortSignal,
  source: AsyncIterable<T>,
): AsyncIterableIterator<T> {
  const iterator = source[Symbol.asyncIterator]();
  // One listener for the life of the stream: a race per message would keep a reaction of each.
  let fail: ((reason: ConnectError) => void) | undefined;
  const abort = (): void => {
    fail?.(abortReason(signal));
    endQuietly(iterator);
  };
  const finish = (): void => signal.removeEventListener("abort", abort);
  signal.addEventListener("abort", abort, { once: true });

  return {
    next() {
      if (signal.aborted) {
        endQuietly(iterator);
        return Promise.reject(abortReason(signal));
      }
      return new Promise<IteratorResult<T>>((resolve, reject) => {
        fail = reject;
        iterator.next().then(
          (result) => {
            if (result.done === true) finish();
            resolve(result);
          },
          (error: unknown) => {
            finish();
            reject(error);
          },
        );
      });
    },
    return() {
      finish();
      endQuietly(iterator);
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** An aborted signal's reason as an error of a call. */
function abortReason(signal: AbortSignal): ConnectError {
  return ConnectError.from(signal.reason, Code.Canceled);
}

/** The caller has already been answered, so what the source says at its end interests nobody. */
function endQuietly(iterator: AsyncIterator<unknown>): void {
  iterator.return?.().catch(() => undefined);
}
