import { setTimeout as delay } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { GoodbyeReason } from "../../../gen/signet/v1/change_pb.ts";
import { ErrorReason } from "../../../gen/signet/v1/error_pb.ts";
import { WatchStart } from "../../../gen/signet/v1/sync_service_pb.ts";
import { CURSORS, open, STORY, storyteller, takeUntil } from "./story.ts";
import {
  changes,
  checkpoint,
  hello,
  page,
  refusal,
  startWatchServer,
  untilAborted,
} from "./watch-server.ts";

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
  test("moves when the next item is asked for: the one left in the loop repeats", async () => {
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

  test("resumes from before a gap that a checkpoint alone shows", async () => {
    await using server = await startWatchServer(async function* ({ cursor }, { signal }) {
      yield hello(cursor || "p1");
      if (cursor === "") yield* [changes(2, "ada"), checkpoint(4)];
      else yield* [checkpoint(2, 4), changes(3, "ada"), changes(4, "bob"), checkpoint(4)];
      await untilAborted(signal);
    });

    const items = await takeUntil(open(server.url).subscribe(), "p4");

    const cursors = items.filter(({ type }) => type === "changes").map(({ cursor }) => cursor);
    expect(cursors).toEqual(["p2", "p3", "p4"]);
    expect(server.requests.map(({ cursor }) => cursor)).toEqual(["", "p2"]);
  });

  test("lets positions jump under a filter", async () => {
    await using server = await startWatchServer(async function* (_request, { signal }) {
      yield* [hello("p1"), changes(2, "ada"), changes(5, "ada", 4), checkpoint(8)];
      await untilAborted(signal);
    });
    const filter = { userIds: ["ada"] };

    await takeUntil(open(server.url).subscribe({ filter }), "p8");

    expect(server.requests).toMatchObject([{ filter: { userIds: ["ada"], kinds: [] } }]);
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
