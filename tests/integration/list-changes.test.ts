import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { ChangeKind, type Sums } from "../../gen/signet/v1/change_pb.ts";
import { type ListChangesResponse, WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import { grpcClients, openSite, refusal, type TestSite, uniqueEmail } from "../support/builders.ts";
import { openSiteOnService } from "../support/site-on-service.ts";
import { openWatch } from "../support/watch.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service } = opened;

let site: TestSite;
beforeEach(async () => {
  site = await openSite(createGrpcTransport({ baseUrl: service.url }), service.operatorKey);
});

describe("ListChanges", () => {
  test("brings the snapshot page by page, then what has changed, and sums at last", async () => {
    const ids = await createUsers(7);
    const first = await listAll("", 3);
    const added = await createUsers(2);
    const second = await listAll(first.cursor, 3);

    expect(first.users.toSorted()).toEqual(ids.toSorted());
    expect(first.answers.map(framesOf)).toEqual([
      ["snapshotPage"],
      ["snapshotPage"],
      ["snapshotPage"],
      ["snapshotEnd", "checkpoint"],
    ]);
    expect(first.sums?.count).toBe(7n);
    expect(second.users).toEqual(added);
    expect(second.sums?.count).toBe(9n);
  });

  test("has cursors that serve WatchUsers, and takes those of WatchUsers", async () => {
    await createUsers(3);
    const { cursor } = await listAll("", 500);
    const [id] = await createUsers(1);

    await using watch = openWatch(site.backend, { cursor });
    await watch.next("hello");
    const batch = await watch.next("changeBatch");
    const [next] = await createUsers(1);
    const listed = await site.backend.sync.listChanges({ cursor: batch.cursor });

    expect(batch.changes.map(({ user }) => user?.id)).toEqual([id]);
    expect(usersOf(listed)).toEqual([next]);
  });

  test("goes on amid a snapshot where a stream has stopped", async () => {
    const ids = await createUsers(5);
    const page = await site.backend.sync.listChanges({ pageSize: 2 });

    await using watch = openWatch(site.backend, { cursor: page.cursor });
    await watch.next("hello");
    const rest = await watch.next("snapshotPage");

    const seen = [...usersOf(page), ...rest.users.map(({ id }) => id)];
    expect(seen).toEqual(ids.toSorted());
  });

  test("waits for a change, and answers with it at once", async () => {
    const { cursor } = await site.backend.sync.listChanges({ start: WatchStart.HEAD });
    const waiting = site.backend.sync.listChanges({ cursor, waitSeconds: 25 });
    const [id] = await createUsers(1);

    const answer = await waiting;

    expect(usersOf(answer)).toEqual([id]);
    expect(answer.more).toBe(false);
    expect(answer.checkpoint?.sums?.count).toBe(1n);
  });

  test("answers with a checkpoint where nothing comes in time", async () => {
    const { cursor } = await site.backend.sync.listChanges({ start: WatchStart.HEAD });

    const answer = await site.backend.sync.listChanges({ cursor, waitSeconds: 1 });

    expect(framesOf(answer)).toEqual(["checkpoint"]);
    expect(answer.cursor).toBe(answer.checkpoint?.cursor);
  });

  test("moves the cursor on although no change passes the filter, and tells no sums", async () => {
    const filter = { kinds: [ChangeKind.DELETED] };
    const { cursor } = await site.backend.sync.listChanges({ start: WatchStart.HEAD, filter });
    const [id = ""] = await createUsers(4);
    const silent = await site.backend.sync.listChanges({ cursor, filter });
    await site.backend.users.deleteUser({ userId: id });

    const answer = await site.backend.sync.listChanges({ cursor: silent.cursor, filter });

    expect(silent.checkpoint).toMatchObject({ position: 4n });
    expect(silent.checkpoint?.sums).toBeUndefined();
    expect(answer.changeBatch?.changes.map(({ kind }) => kind)).toEqual([ChangeKind.DELETED]);
  });

  test("refuses a cursor of another Site, filter or making", async () => {
    const { cursor } = await site.backend.sync.listChanges({ start: WatchStart.HEAD });
    const foreign = await openSite(
      createGrpcTransport({ baseUrl: service.url }),
      service.operatorKey,
    );
    const filter = { kinds: [ChangeKind.DELETED] };

    expect(await refusal(foreign.backend.sync.listChanges({ cursor }))).toMatchObject({
      reason: "INVALID_CURSOR",
    });
    expect(await refusal(site.backend.sync.listChanges({ cursor: "AAAA" }))).toMatchObject({
      reason: "INVALID_CURSOR",
    });
    expect(await refusal(site.backend.sync.listChanges({ cursor, filter }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "SCOPE_CHANGED",
    });
  });

  test("counts as a stream while it waits", async () => {
    const { cursor } = await site.backend.sync.listChanges({ start: WatchStart.HEAD });
    const clients = Array.from({ length: 5 }, () => grpcClients(service.url, site.key));
    const request = { cursor, waitSeconds: 25, clientId: "poller" };

    const waiting = clients.map(({ sync }) =>
      sync.listChanges(request).then(
        () => "answered",
        () => "refused",
      ),
    );
    const first = await Promise.race(waiting);
    await createUsers(1);

    expect(first).toBe("refused");
    expect((await Promise.all(waiting)).toSorted()).toEqual([
      ...Array(4).fill("answered"),
      "refused",
    ]);
  });

  test.each<
    [
      string,
      {
        pageSize?: number;
        waitSeconds?: number;
        clientId?: string;
        filter?: { userIds: string[] };
      },
    ]
  >([
    ["wait_seconds", { waitSeconds: 26 }],
    ["page_size", { pageSize: 501 }],
    ["client_id", { clientId: "x".repeat(65) }],
    ["filter.user_ids", { filter: { userIds: ["1"] } }],
  ])("refuses a bad %s", async (field, request) => {
    expect(await refusal(site.backend.sync.listChanges(request))).toMatchObject({
      reason: "INVALID_FIELD",
      metadata: { field },
    });
  });
});

async function createUsers(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const { user } = await site.backend.users.createUser({ email: uniqueEmail() });
    ids.push(user?.id ?? "");
  }
  return ids;
}

/** Asks until nothing is left. */
async function listAll(start: string, pageSize: number) {
  const answers: ListChangesResponse[] = [];
  let [cursor, sums]: [string, Sums | undefined] = [start, undefined];
  for (let more = true; more; ) {
    const answer = await site.backend.sync.listChanges({ cursor, pageSize });
    answers.push(answer);
    ({ cursor, more } = answer);
    sums = answer.checkpoint?.sums;
  }
  return { answers, cursor, sums, users: answers.flatMap(usersOf) };
}

function usersOf({ snapshotPage, changeBatch }: ListChangesResponse): string[] {
  const changed = changeBatch?.changes.map(({ user }) => user?.id ?? "") ?? [];
  return [...(snapshotPage?.users.map(({ id }) => id) ?? []), ...changed];
}

function framesOf(answer: ListChangesResponse): string[] {
  const { snapshotPage, snapshotEnd, changeBatch, checkpoint } = answer;
  const frames = { snapshotPage, snapshotEnd, changeBatch, checkpoint };
  return Object.entries(frames).flatMap(([name, frame]) => (frame ? [name] : []));
}
