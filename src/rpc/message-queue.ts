import type { Message } from "@bufbuild/protobuf";
import type { FrameSink } from "./frame-sink.ts";

/**
 * Runs something that writes frames, and passes their messages on to whoever reads: the bridge
 * to the streams of Connect. The writer may go on once the reader has come back for more.
 *
 * The writer is given a signal of its own, aborted when the reader leaves in whatever way: a
 * generator that is blocked never gets to its `finally`, but the caller's signal does come.
 */
export async function* queueMessages<M extends Message>(
  caller: AbortSignal,
  run: (sink: FrameSink<M>, signal: AbortSignal) => Promise<void>,
): AsyncGenerator<M> {
  const queue: M[] = [];
  const leaving = new AbortController();
  let outcome: { readonly error?: unknown } | undefined;
  let wakeReader = (): void => undefined;
  let wakeWriter = (): void => undefined;

  const sink: FrameSink<M> = {
    write({ message }) {
      queue.push(message);
      wakeReader();
      return false;
    },
    drained: () =>
      new Promise((resolve) => {
        wakeWriter = resolve;
      }),
  };
  const leave = (): void => {
    leaving.abort();
    wakeReader();
  };
  const end = (result: { readonly error?: unknown }): void => {
    outcome = result;
    caller.removeEventListener("abort", leave);
    wakeReader();
  };

  caller.addEventListener("abort", leave, { once: true });
  if (caller.aborted) leave();
  run(sink, leaving.signal).then(
    () => end({}),
    (error: unknown) => end({ error }),
  );
  try {
    while (!leaving.signal.aborted) {
      const message = queue.shift();
      if (message) {
        yield message;
        if (queue.length === 0) wakeWriter();
      } else if (outcome) {
        break;
      } else {
        await new Promise<void>((resolve) => {
          wakeReader = resolve;
        });
      }
    }
  } finally {
    leave();
  }
  if (outcome && "error" in outcome) throw outcome.error;
}
