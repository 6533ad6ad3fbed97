import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { iterateUntilAborted, untilAborted } from "../../../src/server/until-aborted.ts";

const never = new Promise<never>(() => undefined);

test("a promise passes while the signal is quiet", async () => {
  const { signal } = new AbortController();

  await expect(untilAborted(signal, Promise.resolve(1))).resolves.toBe(1);
});

test("a promise that never settles fails with the reason of the signal", async () => {
  const controller = new AbortController();
  const waiting = untilAborted(controller.signal, never);

  controller.abort(new ConnectError("draining", Code.Unavailable));

  await expect(waiting).rejects.toMatchObject({ code: Code.Unavailable });
});

test("a signal that was aborted without a reason means CANCELED", async () => {
  const waiting = untilAborted(AbortSignal.abort(), never);

  await expect(waiting).rejects.toMatchObject({ code: Code.Canceled });
});

test("a stream passes to its end", async () => {
  const { signal } = new AbortController();

  const values = await Array.fromAsync(iterateUntilAborted(signal, each([1, 2, 3])));

  expect(values).toEqual([1, 2, 3]);
});

test("a stream that waits for ever fails at the abort, and its source is told to end", async () => {
  const controller = new AbortController();
  let wasTold = false;
  const source: AsyncIterableIterator<number> = {
    next: () => never,
    return: async () => {
      wasTold = true;
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
  const waiting = iterateUntilAborted(controller.signal, source).next();

  controller.abort(new ConnectError("draining", Code.Unavailable));

  await expect(waiting).rejects.toMatchObject({ code: Code.Unavailable });
  expect(wasTold).toBe(true);
});

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}
