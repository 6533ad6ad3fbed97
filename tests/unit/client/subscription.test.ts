import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { GoodbyeReason } from "../../../gen/signet/v1/change_pb.ts";
import { ErrorReason } from "../../../gen/signet/v1/error_pb.ts";
import { WatchStart } from "../../../gen/signet/v1/sync_service_pb.ts";
import { createSignetClient, reasonOf, type SubscriptionItem } from "../../../src/client/index.ts";
import {
  changes,
  checkpoint,
  hello,
  page,
  refusal,
  type Script,
  snapshotEnd,
  startWatchServer,
  untilAborted,
} from "./watch-server.ts";

const run = promisify(execFile);

/** Two pages of a snapshot, and two Changes of which the first is in the snapshot already. */
const STORY = [
  hello("s0", { snapshot: true }),
  page("s1", "ada", "bob"),
  page("s2", "cleo"),
  snapshotEnd("p1", 2, 1),
  changes(2, "ada"),
  changes(3, "bob"),
];
const CURSORS = ["s0", "s1", "s2", "p1", "p2", "p3"];

/** Begins after the cursor, with a hello, and stays. */
const storyteller: Script = async function* ({ cursor }, { signal }) {
  yield* cursor === "" ? STORY : [hello(cursor), ...STORY.slice(CURSORS.indexOf(cursor) + 1)];
  await untilAborted(signal);
};

function open(url: string, protocol: "connect" | "grpc" = "connect") {
  return createSignetClient({ url, key: "sgn_site_test", protocol });
}

/** Takes items up to the one with that cursor. */
async function takeUntil(items: AsyncIterable<SubscriptionItem>, cursor: string) {
  const taken: SubscriptionItem[] = [];
  for await (const item of items) {
    taken.push(item);
    if (item.cursor === cursor) return taken;
  }
  return taken;
}

describe.each(["connect", "grpc"] as const)("a subscription over %s", (protocol) => {
  test("delivers the snapshot, its end, and the Changes, with their cursors", async () => {
    await using server = await startWatchServer(storyteller);
    const subscription = open(server.url, protocol).subscribe({ clientId: "me" });

    const items = await takeUntil(subscription, "p3");

    expect(items.map(({ type }) => type)).toEqual([
      ...["hello", "snapshot_page", "snapshot_page", "snapshot_end", "changes", "changes"],
    ]);
    expect(items.map(({ cursor }) => cursor)).toEqual(CURSORS);
    expect(server.requests).toMatchObject([
      { cursor: "", start: WatchStart.SNAPSHOT, clientId: "me", siteId: "" },
    ]);
  });

  test("loses nothing when the connection is cut after every frame", async () => {
    await using server = await startWatchServer(async function* (request, stream) {
      const frames = request.cursor === "" ? STORY.slice(1) : STORY;
      const next = frames[CURSORS.indexOf(request.cursor) + 1];
      yield hello(request.cursor || "s0");
      if (next && request.cursor !== "") yield next;
      await delay(5); // What was written has to leave the process.
      stream.cut();
    });
    const subscription = open(server.url, protocol).subscribe();

    const items = await takeUntil(subscription, "p3");

    const delivered = items.filter(({ type }) => type !== "hello").map(({ cursor }) => cursor);
    expect(delivered).toEqual(CURSORS.slice(1));
    expect(server.requests.map(({ cursor }) => cursor)).toEqual(["", ...CURSORS.slice(0, -1)]);
  });
});

describe("the cursor of a subscription", () => {
  test("moves when the next item is asked for, so that the one left in the loop repeats", async () => {
    await using server = await startWatchServer(storyteller);
    const client = open(server.url);
    const first = client.subscribe();

    await takeUntil(first, "s2");
    const [, repeated] = await takeUntil(client.subscribe({ cursor: first.cursor }), "s2");

    expect(first.cursor).toBe("s1");
    expect(repeated).toMatchObject({ type: "snapshot_page", users: [{ id: "cleo" }] });
  });

  test("is kept in the store, after the item is done with", async () => {
    await using server = await startWatchServer(storyteller);
    const saved: string[] = [];
    const load = async () => "s1";
    const save = async (cursor: string) => void saved.push(cursor);

    await takeUntil(open(server.url).subscribe({ store: { load, save } }), "p3");

    expect(server.requests).toMatchObject([{ cursor: "s1" }]);
    expect(saved).toEqual(["s2", "p1", "p2"]);
  });

  test("ends the subscription where the store fails", async () => {
    await using server = await startWatchServer(storyteller);
    const load = async () => undefined;
    const save = () => Promise.reject(new Error("disk full"));

    const ended = takeUntil(open(server.url).subscribe({ store: { load, save } }), "p3");

    await expect(ended).rejects.toThrow("disk full");
    expect(server.requests).toHaveLength(1);
  });

  test("begins at the head without a snapshot where that is asked", async () => {
    await using server = await startWatchServer(storyteller);

    await takeUntil(open(server.url).subscribe({ start: "head", heartbeatSeconds: 3 }), "s0");

    expect(server.requests).toMatchObject([{ start: WatchStart.HEAD, heartbeatSeconds: 3 }]);
  });
});

describe("a subscription that loses its stream", () => {
  test("comes back when a server has been silent for three heartbeats", async () => {
    await using server = await startWatchServer(async function* (_request, { signal }) {
      yield hello("p1", { heartbeatSeconds: 1 });
      if (server.requests.length > 1) yield checkpoint(2);
      await untilAborted(signal);
    });
    const startMs = performance.now();

    await takeUntil(open(server.url).subscribe(), "p2");

    expect(performance.now() - startMs).toBeGreaterThan(2_900);
    expect(server.requests.map(({ cursor }) => cursor)).toEqual(["", "p1"]);
  });

  test("comes back after the delay and from the cursor of a goodbye", async () => {
    await using server = await startWatchServer(async function* ({ cursor }, { signal }) {
      yield hello(cursor || "p1");
      if (cursor !== "") yield checkpoint(9);
      if (cursor !== "") await untilAborted(signal);
      const value = { reason: GoodbyeReason.DRAINING, cursor: "p5", retryDelayMs: 300n };
      yield { case: "goodbye", value };
      throw refusal(Code.Unavailable, ErrorReason.SHUTTING_DOWN);
    });
    const startMs = performance.now();

    await takeUntil(open(server.url).subscribe(), "p9");

    expect(performance.now() - startMs).toBeGreaterThanOrEqual(300);
    expect(server.requests.map(({ cursor }) => cursor)).toEqual(["", "p5"]);
  });

  test("waits as long as a refusal asks, and goes on", async () => {
    await using server = await startWatchServer(async function* (_request, { signal }) {
      if (server.requests.length === 1) {
        throw refusal(Code.ResourceExhausted, ErrorReason.CATCH_UP_BUSY, 250);
      }
      yield hello("p1");
      await untilAborted(signal);
    });
    const startMs = performance.now();

    await takeUntil(open(server.url).subscribe(), "p1");

    expect(performance.now() - startMs).toBeGreaterThanOrEqual(250);
  });

  test("resumes from before a gap instead of delivering what comes after it", async () => {
    await using server = await startWatchServer(async function* ({ cursor }, { signal }) {
      yield hello(cursor || "p1");
      if (cursor === "") yield* [changes(2, "ada"), changes(5, "bob", 4)];
      else yield* [changes(3, "ada"), changes(4, "cleo"), changes(5, "bob")];
      await untilAborted(signal);
    });

    const items = await takeUntil(open(server.url).subscribe(), "p5");

    const cursors = items.filter(({ type }) => type === "changes").map(({ cursor }) => cursor);
    expect(cursors).toEqual(["p2", "p3", "p4", "p5"]);
    expect(server.requests.map(({ cursor }) => cursor)).toEqual(["", "p2"]);
  });

  test("lets positions jump under a filter", async () => {
    await using server = await startWatchServer(async function* (_request, { signal }) {
      yield* [hello("p1"), changes(2, "ada"), changes(5, "ada", 4)];
      await untilAborted(signal);
    });
    const filter = { userIds: ["ada"] };

    await takeUntil(open(server.url).subscribe({ filter }), "p5");

    expect(server.requests).toMatchObject([{ filter: { userIds: ["ada"], kinds: [] } }]);
  });
});

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
  test("tells the snapshot's progress, then how far the stream lags, then that it is live", async () => {
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

  test("tells each attempt with its delay and error, and 32 statuses to a late reader", async () => {
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

describe("a subscription that is read slowly", () => {
  test("holds the server back, and is not cut by the watchdog", async () => {
    let sent = 0;
    await using server = await startWatchServer(async function* (_request, { signal }) {
      yield hello("p1", { heartbeatSeconds: 1 });
      for (; !signal.aborted && sent < 2_000; sent++) yield page(`s${sent}`, "x".repeat(10_000));
      await untilAborted(signal);
    });
    const items = open(server.url).subscribe()[Symbol.asyncIterator]();
    await items.next();
    await items.next();

    await delay(3_500);
    const sentWhileWaiting = sent;
    for (let taken = 0; taken < 500; taken++) await items.next();
    await items.return();

    expect(sentWhileWaiting).toBeLessThan(200);
    expect(server.requests).toHaveLength(1);
  });
});
