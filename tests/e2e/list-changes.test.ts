import type { MessageInitShape } from "@bufbuild/protobuf";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { ChangeKind } from "../../gen/signet/v1/change_pb.ts";
import {
  type ListChangesRequestSchema,
  type ListChangesResponse,
  WatchStart,
} from "../../gen/signet/v1/sync_service_pb.ts";
import type { SiteId } from "../../src/model/id.ts";
import { insertRevocation } from "../../src/store/revocations.ts";
import { type Clients, openSite, refusal } from "../support/builders.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { openInnerService } from "../support/inner-service.ts";
import { until } from "../support/waiting.ts";
import { openWatch } from "../support/watch.ts";

const opened = await openInnerService();
afterAll(() => opened[Symbol.asyncDispose]());
const { database, operator, url } = opened;

type Request = MessageInitShape<typeof ListChangesRequestSchema>;

describe("ListChanges", () => {
  test("brings the snapshot in pages, its end, then the changes, and a checkpoint", async () => {
    const { backend, generator } = await openNewSite();
    const ids = await generator.fill(7);
    const pages = [await backend.sync.listChanges({ pageSize: 3 })];
    const late = await generator.create();
    for (let page = pages[0]; page?.more; page = pages.at(-1)) {
      pages.push(await backend.sync.listChanges({ cursor: page.cursor, pageSize: 3 }));
    }

    expect(pages.map(shapeOf)).toEqual([
      ["snapshotPage"],
      ["snapshotPage"],
      ["snapshotPage"],
      ["snapshotEnd"],
      ["changeBatch", "checkpoint"],
    ]);
    const users = pages.flatMap(({ snapshotPage }) => snapshotPage?.users ?? []);
    const last = pages.at(-1);
    expect(users.slice(0, 7).map(({ id }) => id)).toEqual(ids.toSorted());
    expect(last?.changeBatch?.changes.map(({ user }) => user?.id)).toEqual([late]);
    expect(last?.checkpoint).toMatchObject({ position: 8n, sums: { count: 8n } });
    expect(last?.cursor).toBe(last?.checkpoint?.cursor);
    for (const { hello } of pages) expect(hello?.siteId).not.toBe("");
  });

  test("goes on where a stream stopped, and a stream goes on where it stopped", async () => {
    const { backend, generator } = await openNewSite();
    await using watch = openWatch(backend, { start: WatchStart.HEAD });
    const { cursor } = await watch.next("hello");
    const first = await generator.create();
    const listed = await untilListed(backend, { cursor });
    const second = await generator.create();
    await using resumed = openWatch(backend, { cursor: listed.cursor });
    await resumed.next("hello");
    const { changes, position } = await resumed.next("changeBatch");
    const { cursor: atEnd } = await resumed.next("checkpoint");
    const nothing = await backend.sync.listChanges({ cursor: atEnd });

    expect(idsOf(listed)).toEqual([first]);
    expect(changes.map(({ user }) => user?.id)).toEqual([second]);
    expect(position).toBe(2n);
    expect(shapeOf(nothing)).toEqual(["checkpoint"]);
    expect(nothing.more).toBe(false);
  });

  test("goes on in a stream amid the snapshot", async () => {
    const { backend, generator } = await openNewSite();
    const ids = await generator.fill(5);
    const { cursor, snapshotPage } = await backend.sync.listChanges({ pageSize: 2 });
    await using resumed = openWatch(backend, { cursor });
    const hello = await resumed.next("hello");
    const { users } = await resumed.next("snapshotPage");

    const seen = [...(snapshotPage?.users ?? []), ...users].map(({ id }) => id);

    expect(hello.snapshot).toBe(true);
    expect(seen).toEqual(ids.toSorted());
  });

  test("holds no more Changes than it is asked for, and says that there are more", async () => {
    const { backend, generator } = await openNewSite();
    const { cursor } = await backend.sync.listChanges({ start: WatchStart.HEAD });
    await generator.fill(5);

    const seen: (string | undefined)[][] = [];
    let answer = await backend.sync.listChanges({ cursor, pageSize: 2 });
    for (; answer.more; answer = await list(backend, answer, 2)) seen.push(idsOf(answer));
    seen.push(idsOf(answer));

    expect(seen.map((ids) => ids.length)).toEqual([2, 2, 1]);
    expect(new Set(seen.flat()).size).toBe(5);
  });

  test("waits for a change that passes its filter, and answers as soon as it is there", async () => {
    const { backend, generator } = await openNewSite();
    const filter = { kinds: [ChangeKind.DELETED] };
    const { cursor } = await backend.sync.listChanges({ start: WatchStart.HEAD, filter });
    const waiting = backend.sync.listChanges({ cursor, filter, waitSeconds: 25 });
    const id = await generator.create();
    await generator.update(id);
    await generator.remove(id);

    const { changeBatch, checkpoint, hello } = await waiting;

    expect(changeBatch?.changes.map(({ user }) => user?.id)).toEqual([id]);
    expect(changeBatch?.position).toBe(3n);
    expect(checkpoint?.position).toBe(3n);
    expect(checkpoint?.sums).toBeUndefined();
    expect(hello?.head).toBe(3n);
  });

  test("waits no longer than it is asked to, and then gives a place to go on from", async () => {
    const { backend } = await openNewSite();
    const beginMs = performance.now();

    const answer = await backend.sync.listChanges({ start: WatchStart.HEAD, waitSeconds: 1 });
    const waitedMs = performance.now() - beginMs;

    expect(shapeOf(answer)).toEqual(["checkpoint"]);
    expect(answer.checkpoint?.sums).toMatchObject({ count: 0n, xor: 0n });
    expect(waitedMs).toBeGreaterThan(950);
  });

  test("counts as a stream while it waits", async () => {
    const { backend } = await openNewSite();
    const leaving = new AbortController();
    const request = { start: WatchStart.HEAD, clientId: "four", waitSeconds: 25 };
    const waiting = [1, 2, 3, 4, 5].map(() =>
      refusal(backend.sync.listChanges(request, { signal: leaving.signal })),
    );

    const refused = await Promise.race(waiting);
    const patient = await backend.sync.listChanges({ ...request, waitSeconds: 0 });
    leaving.abort();
    const left = (await Promise.all(waiting)).filter(({ code }) => code === "Canceled");
    const again = await until(() => backend.sync.listChanges({ ...request, waitSeconds: 1 }));

    expect(refused).toMatchObject({ code: "ResourceExhausted", reason: "TOO_MANY_STREAMS" });
    expect(left.length).toBe(4);
    expect([patient.more, again.more]).toEqual([false, false]);
  });

  test("refuses what WatchUsers refuses", async () => {
    const { backend } = await openNewSite();
    const other = await openNewSite();
    const { cursor } = await backend.sync.listChanges({});
    const reasonOf = async (request: Request, clients = backend) =>
      (await refusal(clients.sync.listChanges(request))).reason;

    expect(await reasonOf({ cursor: "bm90IGEgY3Vyc29y" })).toBe("INVALID_CURSOR");
    expect(await reasonOf({ cursor }, other.backend)).toBe("INVALID_CURSOR");
    expect(await reasonOf({ cursor, filter: { kinds: [ChangeKind.CREATED] } })).toBe(
      "SCOPE_CHANGED",
    );
    expect(await reasonOf({ waitSeconds: 26 })).toBe("INVALID_FIELD");
    expect(await reasonOf({ pageSize: 501 })).toBe("INVALID_FIELD");
  });

  test("fails with SITE_NOT_FOUND where its Site ends while it waits", async () => {
    const { siteId } = await openNewSite();
    const request = { siteId, start: WatchStart.HEAD, waitSeconds: 25 };
    const waiting = refusal(operator.sync.listChanges(request));
    await until(async () => await operator.sync.listChanges({ ...request, waitSeconds: 0 }));
    const expireTime = new Date(Date.now() + 60_000);
    const notice = { kind: "site_closed", subjectId: siteId, expireTime } as const;

    await database.db.inSite(siteId, (tx) => insertRevocation(tx, siteId, notice, new Date()));

    expect(await waiting).toMatchObject({ code: "NotFound", reason: "SITE_NOT_FOUND" });
  });
});

async function openNewSite() {
  const operatorKey = opened.operatorKey;
  const site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
  const siteId = site.siteId as SiteId;
  return { ...site, siteId, generator: createChangeGenerator(database.db, siteId) };
}

/** Polls until there are changes. */
async function untilListed({ sync }: Clients, request: Request): Promise<ListChangesResponse> {
  return await until(async () => {
    const answer = await sync.listChanges(request);
    return answer.changeBatch ? answer : undefined;
  });
}

async function list({ sync }: Clients, { cursor }: ListChangesResponse, pageSize: number) {
  return await sync.listChanges({ cursor, pageSize });
}

function shapeOf(answer: ListChangesResponse): string[] {
  const frames = ["snapshotPage", "snapshotEnd", "changeBatch", "checkpoint"] as const;
  return frames.filter((name) => answer[name] !== undefined);
}

function idsOf({ changeBatch }: ListChangesResponse): (string | undefined)[] {
  return (changeBatch?.changes ?? []).map(({ user }) => user?.id);
}
