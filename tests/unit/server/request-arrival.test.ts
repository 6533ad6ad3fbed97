import { describe, expect, test } from "vitest";
import { awaitRequest } from "../../../src/server/request-arrival.ts";

const UNARY = { kind: "unary", contentType: "application/grpc", messageBytesMax: 1_000 } as const;

describe("a single message", () => {
  test("is waited for to its end, and then comes whole", async () => {
    const pieces = Array.from({ length: 600 }, (_, n) => new Uint8Array([0, n % 256]));

    const body = await awaitRequest(each(pieces), { ...UNARY, messageBytesMax: 2_000 });

    expect(Buffer.concat(await Array.fromAsync(body))).toEqual(Buffer.concat(pieces));
  });

  test.each([
    ["has exceeded the limit", UNARY.contentType, Buffer.alloc(1_001)],
    ["announces too much", UNARY.contentType, Buffer.from([0, 0xff, 0xff, 0xff, 0xff])],
  ])("is passed on at once when it %s", async (_name, contentType, start) => {
    const body = await awaitRequest(endless(start), { ...UNARY, contentType });

    const first = await body[Symbol.asyncIterator]().next();

    expect(first.value).toEqual(start);
  });

  test("that fails to arrive fails where it is read", async () => {
    const body = await awaitRequest(broken(), UNARY);

    await expect(Array.fromAsync(body)).rejects.toThrow("too slow");
  });
});

test("a stream of messages is passed on as soon as it has begun", async () => {
  const start = Buffer.from([1]);

  const body = await awaitRequest(endless(start), { ...UNARY, kind: "client_streaming" });

  expect((await body[Symbol.asyncIterator]().next()).value).toEqual(start);
});

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

async function* endless(start: Uint8Array): AsyncGenerator<Uint8Array> {
  yield start;
  await new Promise(() => undefined);
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(1);
  throw new Error("too slow");
}
