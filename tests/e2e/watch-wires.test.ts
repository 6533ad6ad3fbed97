import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { afterAll, describe, expect, test } from "vitest";
import { ChangeKind, GoodbyeReason } from "../../gen/signet/v1/change_pb.ts";
import { WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import type { SiteId } from "../../src/model/id.ts";
import { insertRevocation } from "../../src/store/revocations.ts";
import { type Clients, clientsOf, openSite, refusal, refusalOf } from "../support/builders.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { runAsAdmin } from "../support/database.ts";
import { openInnerService } from "../support/inner-service.ts";
import { openWatch } from "../support/watch.ts";
import { WIRES } from "../support/wires.ts";

const opened = await openInnerService();
afterAll(() => opened[Symbol.asyncDispose]());
const { database, operatorKey, url } = opened;

describe.each(WIRES)("a stream of Users over %s", (_, transportTo) => {
  const transport = transportTo(url);

  test("brings snapshot, changes and checkpoints with the sums", async () => {
    const { backend, generator } = await openNewSite(transport);
    const ids = await generator.fill(3);
    await using watch = openWatch(backend);
    const hello = await watch.next("hello");
    const { users } = await watch.next("snapshotPage");
    const end = await watch.next("snapshotEnd");
    const { sums } = await watch.next("checkpoint");
    const id = await generator.create();
    const { changes } = await watch.next("changeBatch");

    expect(hello).toMatchObject({ snapshot: true, head: 3n, userCount: 3n });
    expect(users.map((user) => user.id)).toEqual(ids.toSorted());
    expect(end).toMatchObject({ position: 3n, tailPosition: 3n });
    expect(sums).toMatchObject({ count: 3n });
    expect(changes.map(({ user }) => user?.id)).toEqual([id]);
  });

  test("is refused before its first frame, with the reason of each", async () => {
    const { siteId, backend, generator } = await openNewSite(transport);
    const cursor = await headCursor(backend);
    const ahead = await openNewSite(transport);
    await ahead.generator.fill(5);
    const aheadCursor = await headCursor(ahead.backend);
    await takeBack(ahead.siteId, 3);
    await generator.fill(10);
    await headCursor(backend); // Now they are numbered.
    await dropBefore(siteId, 5);
    const filter = { kinds: [ChangeKind.CREATED] };

    const refused = {
      noCursor: await refusedWatch(backend, { cursor: "bm90IGEgY3Vyc29y" }),
      expired: await refusedWatch(backend, { cursor }),
      ahead: await refusedWatch(ahead.backend, { cursor: aheadCursor }),
      scope: await refusedWatch(backend, { cursor, filter }),
      field: await refusedWatch(backend, { heartbeatSeconds: 16 }),
    };

    expect(refused.noCursor).toMatchObject({ code: "InvalidArgument", reason: "INVALID_CURSOR" });
    expect(refused.expired).toMatchObject({
      code: "OutOfRange",
      reason: "CURSOR_EXPIRED",
      metadata: { oldest_position: "5" },
    });
    expect(refused.ahead).toMatchObject({ code: "FailedPrecondition", reason: "CURSOR_AHEAD" });
    expect(refused.scope).toMatchObject({ code: "FailedPrecondition", reason: "SCOPE_CHANGED" });
    expect(refused.field).toMatchObject({ code: "InvalidArgument", reason: "INVALID_FIELD" });
  });

  test("ends with SITE_DELETED and NOT_FOUND when its Site does", async () => {
    const { siteId, backend } = await openNewSite(transport);
    await using watch = openWatch(backend, { start: WatchStart.HEAD });
    await watch.next("hello");
    await closeSite(siteId);

    const goodbye = await watch.next("goodbye");
    const error = await refusal(watch.next("hello"));

    expect(goodbye).toMatchObject({ reason: GoodbyeReason.SITE_DELETED, cursor: "" });
    expect(error).toMatchObject({ code: "NotFound", reason: "SITE_NOT_FOUND" });
  });
});

describe("a drain", () => {
  test("ends 100 streams over all wires with DRAINING and SHUTTING_DOWN", async () => {
    await using own = await openInnerService();
    const key = own.site.key;
    const transports = WIRES.map(([, transportTo]) => transportTo(own.url));
    const streams = Array.from({ length: 100 }, (_, n) => {
      const transport = transports[n % transports.length] as Transport;
      const request = { start: WatchStart.HEAD, clientId: `client ${n}` };
      return openWatch(clientsOf(transport, key), request, 60_000);
    });
    for (const stream of streams) await stream.next("hello");

    const drained = own.drain();
    const ends = await Promise.all(streams.map((stream) => endOf(stream)));
    await drained;
    const goodbyes = ends.map(({ goodbye }) => goodbye);

    expect(new Set(goodbyes.map(({ reason }) => reason))).toEqual(
      new Set([GoodbyeReason.DRAINING]),
    );
    expect(goodbyes.every(({ cursor }) => cursor !== "")).toBe(true);
    expect(new Set(goodbyes.map(({ retryDelayMs }) => retryDelayMs)).size).toBeGreaterThan(20);
    for (const { error } of ends) {
      expect(error.code).toBe(Code.Unavailable);
      expect(refusalOf(error).reason).toBe("SHUTTING_DOWN");
    }
  });
});

async function openNewSite(transport: Transport) {
  const site = await openSite(transport, operatorKey);
  const siteId = site.siteId as SiteId;
  return { ...site, siteId, generator: createChangeGenerator(database.db, siteId) };
}

async function headCursor(clients: Clients): Promise<string> {
  await using watch = openWatch(clients, { start: WatchStart.HEAD });
  return (await watch.next("hello")).cursor;
}

async function refusedWatch(clients: Clients, request: Parameters<typeof openWatch>[1]) {
  await using watch = openWatch(clients, request);
  return await refusal(watch.next("hello"));
}

/** Reads the last two words of a stream. */
async function endOf(stream: ReturnType<typeof openWatch>) {
  const goodbye = await stream.next("goodbye");
  const error = await stream.next("hello").then(
    () => new ConnectError("it goes on"),
    (reason: unknown) => ConnectError.from(reason),
  );
  return { goodbye, error };
}

async function dropBefore(siteId: SiteId, position: number): Promise<void> {
  await runAsAdmin(
    database.adminUrl,
    `delete from signet.changes where site_id = '${siteId}' and position < ${position}`,
  );
}

/** Takes history back unnoticed, as a restore of a backup would without a new epoch. */
async function takeBack(siteId: SiteId, position: number): Promise<void> {
  await runAsAdmin(
    database.adminUrl,
    `update signet.site_heads set position = ${position} where site_id = '${siteId}'`,
  );
}

async function closeSite(siteId: SiteId): Promise<void> {
  const expireTime = new Date(Date.now() + 60_000);
  const notice = { kind: "site_closed", subjectId: siteId, expireTime } as const;
  await database.db.inSite(siteId, (tx) => insertRevocation(tx, siteId, notice, new Date()));
}
