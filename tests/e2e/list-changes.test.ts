import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { ChangeKind } from "../../gen/signet/v1/change_pb.ts";
import { type ListChangesResponse, WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import type { SiteId } from "../../src/model/id.ts";
import { insertRevocation } from "../../src/store/revocations.ts";
import { openSite, refusal } from "../support/builders.ts";
import { createChangeGenerator } from "../support/change-generator.ts";
import { openInnerService } from "../support/inner-service.ts";
import { until } from "../support/waiting.ts";

const opened = await openInnerService();
afterAll(() => opened[Symbol.asyncDispose]());
const { database, operator, operatorKey, url } = opened;

describe("ListChanges", () => {
  test("holds no more Changes than it is asked for, and says that there are more", async () => {
    const { backend, generator } = await openNewSite();
    const { cursor } = await backend.sync.listChanges({ start: WatchStart.HEAD });
    await generator.fill(5);

    const seen: string[][] = [];
    for (let [from, more] = [cursor, true]; more; ) {
      const answer = await backend.sync.listChanges({ cursor: from, pageSize: 2 });
      seen.push(idsOf(answer));
      ({ cursor: from, more } = answer);
    }

    expect(seen.map((ids) => ids.length)).toEqual([2, 2, 1]);
    expect(new Set(seen.flat()).size).toBe(5);
  });

  test("waits on while nothing passes its filter, and answers with what does", async () => {
    const { backend, generator } = await openNewSite();
    const filter = { kinds: [ChangeKind.DELETED] };
    const { cursor } = await backend.sync.listChanges({ start: WatchStart.HEAD, filter });
    const waiting = backend.sync.listChanges({ cursor, filter, waitSeconds: 25 });
    const id = await generator.create();
    await generator.update(id);
    await generator.remove(id);

    const answer = await waiting;

    expect(idsOf(answer)).toEqual([id]);
    expect(answer.changeBatch?.position).toBe(3n);
    expect(answer.checkpoint?.position).toBe(3n);
    expect(answer.hello?.head).toBe(3n);
  });

  test("fails with SITE_NOT_FOUND where its Site ends while it waits", async () => {
    const { siteId } = await openNewSite();
    const request = { siteId, start: WatchStart.HEAD, waitSeconds: 25 };
    const before = opened.streams();
    const waiting = refusal(operator.sync.listChanges(request));
    await until(() => opened.streams() > before);
    const expireTime = new Date(Date.now() + 60_000);
    const notice = { kind: "site_closed", subjectId: siteId, expireTime } as const;

    await database.db.inSite(siteId, (tx) => insertRevocation(tx, siteId, notice, new Date()));

    expect(await waiting).toMatchObject({ code: "NotFound", reason: "SITE_NOT_FOUND" });
  });

  test("is answered at once by a server that shuts down, with UNAVAILABLE", async () => {
    await using own = await openInnerService();
    const request = { start: WatchStart.HEAD, waitSeconds: 25 };
    const waiting = refusal(own.site.backend.sync.listChanges(request));
    await until(() => own.streams() === 1);

    await own.drain();

    expect(await waiting).toMatchObject({ code: "Unavailable", reason: "SHUTTING_DOWN" });
  });
});

async function openNewSite() {
  const site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
  const siteId = site.siteId as SiteId;
  return { ...site, siteId, generator: createChangeGenerator(database.db, siteId) };
}

function idsOf({ changeBatch }: ListChangesResponse): string[] {
  return (changeBatch?.changes ?? []).map(({ user }) => user?.id ?? "");
}
