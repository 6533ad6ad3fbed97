import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { ChangeKind } from "../../gen/signet/v1/change_pb.ts";
import { WatchStart } from "../../gen/signet/v1/sync_service_pb.ts";
import { UserState } from "../../gen/signet/v1/user_pb.ts";
import {
  type Clients,
  createKey,
  grpcClients,
  openSite,
  refusal,
  type TestSite,
  uniqueEmail,
} from "../support/builders.ts";
import { openSiteOnService } from "../support/site-on-service.ts";
import { openWatch } from "../support/watch.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service, operator, site } = opened;

describe("a cursor", () => {
  test("resumes in the middle of a snapshot, and brings the delete that came between", async () => {
    const { backend } = await openNewSite();
    const { user: gone } = await backend.users.createUser({ email: uniqueEmail() });
    const { user: kept } = await backend.users.createUser({ email: uniqueEmail() });
    await using first = openWatch(backend);
    const { cursor: afterHello } = await first.next("hello");
    const { cursor } = await first.next("snapshotPage");
    await first[Symbol.asyncDispose]();
    await backend.users.deleteUser({ userId: gone?.id ?? "" });

    await using resumed = openWatch(backend, { cursor });
    await resumed.next("hello");
    await resumed.next("snapshotEnd");
    const { changes } = await resumed.next("changeBatch");
    await using again = openWatch(backend, { cursor: afterHello });
    await again.next("hello");
    const { users } = await again.next("snapshotPage");

    expect(changes.map(({ kind, user }) => [kind, user?.id, user?.state])).toEqual([
      [ChangeKind.DELETED, gone?.id, UserState.DELETED],
    ]);
    expect(users.map(({ id, state }) => [id, state])).toEqual([
      [gone?.id, UserState.DELETED],
      [kept?.id, UserState.ACTIVE],
    ]);
  });

  test("that is no cursor fails with INVALID_CURSOR", async () => {
    expect(await refusalOfWatch(site.backend, "bm90IGEgY3Vyc29y")).toMatchObject({
      code: "InvalidArgument",
      reason: "INVALID_CURSOR",
    });
  });

  test("of another Site fails as one that is no cursor does", async () => {
    const other = await openNewSite();
    const foreign = await cursorOf(other.backend);

    expect(await refusalOfWatch(site.backend, foreign)).toEqual(
      await refusalOfWatch(site.backend, "bm90IGEgY3Vyc29y"),
    );
  });

  test("under another filter or projection fails with SCOPE_CHANGED", async () => {
    const cursor = await cursorOf(site.backend);
    const narrow = await createKey(operator, site.siteId, {
      scopes: [Scope.SYNC],
      userFields: ["email"],
    });
    const filter = { kinds: [ChangeKind.DELETED] };
    const changed = { code: "FailedPrecondition", reason: "SCOPE_CHANGED" };

    expect(await refusalOfWatch(site.backend, cursor, filter)).toMatchObject(changed);
    expect(await refusalOfWatch(grpcClients(service.url, narrow), cursor)).toMatchObject(changed);
  });

  test("is of use to another key of the Site that sees the same", async () => {
    const cursor = await cursorOf(site.backend);
    const other = await createKey(operator, site.siteId, { scopes: [Scope.SYNC] });

    await using watch = openWatch(grpcClients(service.url, other), { cursor });

    expect(await watch.next("hello")).toMatchObject({ siteId: site.siteId });
  });
});

describe("a filter", () => {
  test("lets through the wanted kinds alone, and positions jump", async () => {
    const { backend } = await openNewSite();
    const filter = { kinds: [ChangeKind.DELETED] };
    await using watch = openWatch(backend, { filter, start: WatchStart.HEAD });
    const { head } = await watch.next("hello");

    const { user } = await backend.users.createUser({ email: uniqueEmail() });
    await backend.users.deleteUser({ userId: user?.id ?? "" });
    const batch = await watch.next("changeBatch");

    expect(batch.changes.map(({ kind }) => kind)).toEqual([ChangeKind.DELETED]);
    expect(batch.position).toBe(head + 2n);
  });

  test("lets through the wanted Users alone, in the snapshot too", async () => {
    const { backend } = await openNewSite();
    const { user: wanted } = await backend.users.createUser({ email: uniqueEmail() });
    const { user: other } = await backend.users.createUser({ email: uniqueEmail() });
    await using watch = openWatch(backend, { filter: { userIds: [wanted?.id ?? ""] } });
    await watch.next("hello");
    const page = await watch.next("snapshotPage");
    await watch.next("snapshotEnd");

    for (const user of [other, wanted]) {
      await backend.users.updateUser({ userId: user?.id ?? "", displayName: "Ada" });
    }
    const batch = await watch.next("changeBatch");

    expect(page.users.map(({ id }) => id)).toEqual([wanted?.id]);
    expect(batch.changes.map(({ user }) => user?.id)).toEqual([wanted?.id]);
  });

  test("that is unknown fails with INVALID_FIELD", async () => {
    const unknownKind = 99 as ChangeKind;

    expect(await refusalOfWatch(site.backend, "", { kinds: [unknownKind] })).toMatchObject({
      reason: "INVALID_FIELD",
      metadata: { field: "filter.kinds" },
    });
  });
});

describe("the projection of a key", () => {
  test("removes fields from snapshot and changes, and never a change", async () => {
    const { siteId, backend } = await openNewSite();
    const email = uniqueEmail();
    await backend.users.createUser({ email, displayName: "Ada" });
    const scopes = [Scope.SYNC];
    const narrow = await createKey(operator, siteId, { scopes, userFields: ["email"] });
    await using watch = openWatch(grpcClients(service.url, narrow));
    const hello = await watch.next("hello");
    const page = await watch.next("snapshotPage");
    await watch.next("snapshotEnd");

    const userId = page.users[0]?.id ?? "";
    await backend.users.updateUser({ userId, displayName: "Countess" });
    const batch = await watch.next("changeBatch");

    expect(hello.userFields).toEqual(["email"]);
    expect(page.users[0]).toMatchObject({ email, displayName: "", roles: [] });
    expect(batch.changes[0]?.user).toMatchObject({ email, displayName: "", roles: [] });
    expect(batch.changes[0]?.user?.version).toBeGreaterThan(page.users[0]?.version ?? 0n);
  });
});

async function openNewSite(): Promise<TestSite> {
  return await openSite(createGrpcTransport({ baseUrl: service.url }), service.operatorKey);
}

async function cursorOf(clients: Clients): Promise<string> {
  await using watch = openWatch(clients);
  return (await watch.next("hello")).cursor;
}

async function refusalOfWatch(
  clients: Clients,
  cursor: string,
  filter: { readonly kinds?: ChangeKind[] } = {},
) {
  await using watch = openWatch(clients, { cursor, filter });
  return await refusal(watch.next("hello"));
}
