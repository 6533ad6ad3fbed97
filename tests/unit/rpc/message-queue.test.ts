import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { WatchUsersResponseSchema } from "../../../gen/signet/v1/sync_service_pb.ts";
import { type FrameSink, sharedFrame } from "../../../src/rpc/frame-sink.ts";
import { queueMessages } from "../../../src/rpc/message-queue.ts";

describe("a queue of messages", () => {
  test("lets the writer go on once the reader has come back for more", async () => {
    const written: number[] = [];
    const messages = queueMessages(new AbortController().signal, async (sink) => {
      for (const n of [1, 2, 3]) {
        written.push(n);
        if (!sink.write(checkpoint(n))) await sink.drained();
      }
    });

    await messages.next();
    const beforeTheSecond = [...written];
    const rest = [await messages.next(), await messages.next(), await messages.next()];

    expect(beforeTheSecond).toEqual([1]);
    expect(rest.map(({ done }) => done)).toEqual([false, false, true]);
    expect(written).toEqual([1, 2, 3]);
  });

  test("passes on what was written before it fails with the writer's error", async () => {
    const messages = queueMessages(new AbortController().signal, async (sink) => {
      sink.write(checkpoint(1));
      sink.write(checkpoint(2));
      throw new Error("the end");
    });

    const seen = [(await messages.next()).value, (await messages.next()).value];

    expect(seen.map((message) => message?.frame.case)).toEqual(["checkpoint", "checkpoint"]);
    await expect(messages.next()).rejects.toThrow("the end");
  });

  test("tells the writer when the call is aborted, also while the reader is blocked", async () => {
    const call = new AbortController();
    const told = Promise.withResolvers<void>();
    const messages = queueMessages(call.signal, (sink, signal) =>
      writeUntilAborted(sink, signal, told.resolve),
    );
    await messages.next(); // And never again.

    call.abort();

    await told.promise;
    expect(await messages.next()).toEqual({ done: true, value: undefined });
  });

  test("tells the writer when the reader leaves without an abort", async () => {
    const told = Promise.withResolvers<void>();
    const messages = queueMessages(new AbortController().signal, (sink, signal) =>
      writeUntilAborted(sink, signal, told.resolve),
    );
    await messages.next();

    await messages.return(undefined);

    await told.promise;
  });
});

async function writeUntilAborted(
  sink: FrameSink,
  signal: AbortSignal,
  tell: () => void,
): Promise<void> {
  signal.addEventListener("abort", tell);
  sink.write(checkpoint(1));
  await sink.drained();
}

function checkpoint(position: number) {
  const value = { position: BigInt(position) };
  return sharedFrame(
    WatchUsersResponseSchema,
    create(WatchUsersResponseSchema, { frame: { case: "checkpoint", value } as const }),
  );
}
