import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { GoodbyeReason } from "../../../gen/signet/v1/change_pb.ts";
import { ErrorReason } from "../../../gen/signet/v1/error_pb.ts";
import { reasonOf } from "../../../src/client/index.ts";
import { open, STORY, storyteller, takeUntil } from "./story.ts";
import {
  changes,
  checkpoint,
  hello,
  refusal,
  startWatchServer,
  untilAborted,
} from "./watch-server.ts";

const run = promisify(execFile);

describe("the end of a subscription", () => {
  test.each([
    [Code.OutOfRange, ErrorReason.CURSOR_EXPIRED],
    [Code.FailedPrecondition, ErrorReason.EPOCH_CHANGED],
    [Code.FailedPrecondition, ErrorReason.CURSOR_AHEAD],
    [Code.FailedPrecondition, ErrorReason.SCOPE_CHANGED],
    [Code.InvalidArgument, ErrorReason.INVALID_CURSOR],
    [Code.InvalidArgument, ErrorReason.INVALID_FIELD],
    [Code.Unauthenticated, ErrorReason.CREDENTIAL_INVALID],
    [Code.PermissionDenied, ErrorReason.ACCESS_DENIED],
    [Code.NotFound, ErrorReason.SITE_NOT_FOUND],
  ])("is an error that coming back would not mend: %i, %i", async (code, reason) => {
    await using server = await startWatchServer(async function* () {
      yield hello("p1");
      throw refusal(code, reason);
    });
    const subscription = open(server.url).subscribe();

    const error = await takeUntil(subscription, "p9").catch((thrown: unknown) => thrown);

    const [last] = await Array.fromAsync(subscription.status);
    expect(reasonOf(error)).toBe(reason);
    expect(last).toEqual({ type: "closed", error });
    expect(server.requests).toHaveLength(1);
  });

  test("is the deletion of the Site, as a last item", async () => {
    await using server = await startWatchServer(async function* () {
      yield hello("p1");
      yield { case: "goodbye", value: { reason: GoodbyeReason.SITE_DELETED } };
      throw refusal(Code.NotFound, ErrorReason.SITE_NOT_FOUND);
    });

    const items = await takeUntil(open(server.url).subscribe(), "p9");

    expect(items.map(({ type }) => type)).toEqual(["hello", "site_deleted"]);
  });

  test.each<[string, (ends: { abort(): void; close(): void; closeClient(): void }) => void]>([
    ["the signal", ({ abort }) => abort()],
    ["close", ({ close }) => close()],
    ["closing the client", ({ closeClient }) => closeClient()],
  ])("comes at once by %s, though nothing arrives, and frees the connection", async (_by, end) => {
    await using server = await startWatchServer(storyteller);
    const client = open(server.url);
    const abortion = new AbortController();
    const subscription = client.subscribe({ cursor: "p3", signal: abortion.signal });
    const items = subscription[Symbol.asyncIterator]();
    await items.next();
    const blocked = items.next();
    await delay(20);

    end({
      abort: () => abortion.abort(),
      close: () => subscription.close(),
      closeClient: () => client.close(),
    });

    expect(await blocked).toEqual({ done: true, value: undefined });
    await expect.poll(server.connections).toBe(0);
    expect(await Array.fromAsync(subscription.status)).toEqual([
      { type: "closed", error: undefined },
    ]);
  });

  test("comes by leaving the loop, and leaves nothing that keeps the process alive", async () => {
    await using server = await startWatchServer(storyteller);
    const app = `
      import { createSignetClient } from "./src/client/index.ts";
      const client = createSignetClient({ url: "${server.url}", key: "sgn_site_test" });
      for await (const item of client.subscribe()) if (item.type === "changes") break;
      console.log("left");
    `;

    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", app], {
      timeout: 5_000,
    });

    expect(stdout).toBe("left\n");
    await expect.poll(server.connections).toBe(0);
  });

  test("comes by disposal while it waits to reconnect", async () => {
    const subscription = open("http://127.0.0.1:1").subscribe();
    const ended = takeUntil(subscription, "never");
    const statuses = subscription.status[Symbol.asyncIterator]();
    while ((await statuses.next()).value?.type !== "reconnecting");

    await subscription[Symbol.asyncDispose]();

    expect(await ended).toEqual([]);
  });

  test("is there from the beginning where the signal was aborted before", async () => {
    const signal = AbortSignal.abort();

    const items = await takeUntil(open("http://127.0.0.1:1").subscribe({ signal }), "never");

    expect(items).toEqual([]);
  });
});

describe("the status of a subscription", () => {
  test("tells the snapshot's progress, how far the stream lags, and that it is live", async () => {
    await using server = await startWatchServer(async function* (...story) {
      yield* STORY.slice(0, -1);
      yield checkpoint(2, 4);
      yield* [changes(3, "ada"), changes(4, "bob")];
      await untilAborted(story[1].signal);
    });
    const subscription = open(server.url).subscribe();
    const statuses = Array.fromAsync(subscription.status);

    await takeUntil(subscription, "p4");

    expect(await statuses).toEqual([
      { type: "connecting" },
      { type: "snapshot", received: 0, total: 2 },
      { type: "snapshot", received: 2, total: 2 },
      { type: "snapshot", received: 3, total: 2 },
      { type: "lagging", behind: 2n },
      { type: "lagging", behind: 1n },
      { type: "lagging", behind: 2n },
      { type: "lagging", behind: 1n },
      { type: "live" },
      { type: "closed", error: undefined },
    ]);
  });

  test("tells each attempt to reconnect, with its error", async () => {
    const subscription = open("http://127.0.0.1:1").subscribe();
    const ended = takeUntil(subscription, "never");
    const seen: unknown[] = [];

    for await (const status of subscription.status) {
      if (status.type === "reconnecting") seen.push(status);
      if (seen.length === 3) subscription.close();
    }

    expect(await ended).toEqual([]);
    expect(seen).toMatchObject(
      [1, 2, 3].map((attempt) => ({ attempt, error: { code: Code.Unavailable } })),
    );
  });
});
