import { create } from "@bufbuild/protobuf";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { UserState } from "../../gen/signet/v1/user_pb.ts";
import { UserFilterSchema } from "../../gen/signet/v1/user_service_pb.ts";
import { createKey, grpcClients, openSite, refusal, type TestSite } from "../support/builders.ts";
import { openSiteOnService } from "../support/site-on-service.ts";
import { openWatch } from "../support/watch.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service, operator, site } = opened;
const { backend } = site;

const USERS = 120;
const ids: string[] = [];

beforeAll(async () => {
  for (let n = 0; n < USERS; n += 1) {
    const { user } = await backend.users.createUser({
      email: `${n % 2 ? "odd" : "even"}.${n}@example.com`,
      username: `user-${n}`,
      emailVerified: n % 3 === 0,
      roles: n % 10 === 0 ? ["staff", "user"] : ["user"],
    });
    ids.push(user?.id ?? "");
  }
  await backend.users.disableUser({ userId: ids[7] ?? "" });
  await backend.users.deleteUser({ userId: ids[8] ?? "" });
});

type Filter = Exclude<Parameters<typeof filterOf>[0], undefined>;

describe("a list of Users", () => {
  test("has each User once, in the order of ids, page by page", async () => {
    const listed = await listAll({}, 17);

    expect(listed).toEqual(ids.filter((_, n) => n !== 8).toSorted());
  });

  test.each<[string, Filter, (n: number) => boolean]>([
    ["states", { states: [UserState.DISABLED] }, (n) => n === 7],
    ["tombstones", { states: [UserState.DELETED] }, (n) => n === 8],
    ["a role", { role: "staff" }, (n) => n % 10 === 0],
    ["the role of everybody", { role: "user" }, (n) => n !== 8],
    ["verified addresses", { emailVerified: true }, (n) => n % 3 === 0],
    ["addresses to verify", { emailVerified: false }, (n) => n % 3 !== 0 && n !== 8],
    ["addresses by prefix", { prefix: emailPrefix("ODD.1") }, (n) => n % 2 === 1 && begins(n)],
    ["usernames by prefix", { prefix: usernamePrefix("user-11") }, (n) => /^11/.test(`${n}`)],
    ["nobody", { prefix: emailPrefix("nobody") }, () => false],
  ])("is filtered by %s, and counted alike", async (_name, filter, passes) => {
    const expected = ids.filter((_, n) => passes(n));

    const listed = await listAll(filter, 7);
    const { count } = await backend.users.countUsers({ filter: filterOf(filter) });

    expect(listed.toSorted()).toEqual(expected.toSorted());
    expect(count).toBe(BigInt(expected.length));
  });

  test("with a prefix is in the order of the field", async () => {
    const { users } = await backend.users.listUsers({
      filter: filterOf({ prefix: emailPrefix("even") }),
      pageSize: 500,
    });

    const emails = users.map(({ email }) => email);
    expect(emails).toEqual(emails.toSorted());
  });

  test("begins at a time of creation or change", async () => {
    const { user } = await backend.users.getUser({ userId: ids[60] ?? "" });
    const createTimeFrom = user?.createTime;

    const created = await listAll(createTimeFrom ? { createTimeFrom } : {}, 50);
    const { user: changed } = await backend.users.updateUser({
      userId: ids[3] ?? "",
      displayName: "Ada",
    });
    const updateTimeFrom = changed?.updateTime;
    const since = await listAll(updateTimeFrom ? { updateTimeFrom } : {}, 50);

    expect(created.toSorted()).toEqual(ids.slice(60).toSorted());
    expect(since).toEqual([ids[3]]);
  });

  test("is in step with the changes that follow its cursor", async () => {
    const pages = await listPages({}, 50);
    const cursors = new Set(pages.map(({ syncCursor }) => syncCursor));
    const [cursor = ""] = cursors;

    const { user } = await backend.users.createUser({ email: "later@example.com" });
    await using watch = openWatch(backend, { cursor });
    await watch.next("hello");
    const { changes } = await watch.next("changeBatch");
    await backend.users.deleteUser({ userId: user?.id ?? "" });

    expect(cursors.size).toBe(1);
    expect(changes.map((change) => change.user?.id)).toEqual([user?.id]);
  });

  test("has each User once also while others come and go", async () => {
    const churning = (async () => {
      for (let n = 0; n < 20; n += 1) {
        const { user } = await backend.users.createUser({ email: `churn.${n}@example.com` });
        await backend.users.deleteUser({ userId: user?.id ?? "" });
      }
    })();

    const listed = await listAll({}, 5);
    await churning;

    expect(listed).toHaveLength(new Set(listed).size);
    expect(listed).toEqual(expect.arrayContaining(ids.filter((_, n) => n !== 8)));
  });

  test("gives no cursor to who may not follow, and no page to another question", async () => {
    const scopes = [Scope.USERS_READ];
    const reader = grpcClients(service.url, await createKey(operator, site.siteId, { scopes }));

    const { syncCursor, nextPageToken: pageToken } = await reader.users.listUsers({ pageSize: 5 });
    const elsewhere = await openOtherSite();
    const refusals = await Promise.all([
      refusal(reader.users.listUsers({ pageToken, filter: filterOf({ role: "staff" }) })),
      refusal(elsewhere.backend.users.listUsers({ pageToken })),
      refusal(reader.users.listUsers({ pageToken: `${pageToken}x` })),
    ]);

    expect(syncCursor).toBe("");
    expect(refusals).toEqual(
      Array(3).fill(expect.objectContaining({ reason: "INVALID_PAGE_TOKEN" })),
    );
    expect((await elsewhere.backend.users.listUsers({})).users).toEqual([]);
  });

  test("gives a page token's cursor to nobody without the scope sync", async () => {
    const scopes = [Scope.USERS_READ];
    const reader = grpcClients(service.url, await createKey(operator, site.siteId, { scopes }));

    const first = await backend.users.listUsers({ pageSize: 5 });
    const second = await reader.users.listUsers({ pageSize: 5, pageToken: first.nextPageToken });
    const own = await backend.users.listUsers({ pageSize: 5, pageToken: second.nextPageToken });

    expect(first.syncCursor).not.toBe("");
    expect(second.syncCursor).toBe("");
    expect(own.syncCursor).toBe(first.syncCursor);
  });

  test("shows and filters by what a projection shows, and by nothing else", async () => {
    const settings = { scopes: [Scope.USERS_READ], userFields: ["username"] };
    const reader = grpcClients(service.url, await createKey(operator, site.siteId, settings));

    const { users } = await reader.users.listUsers({ pageSize: 3 });

    expect(users.map(({ email }) => email)).toEqual(["", "", ""]);
    expect(users.every(({ username }) => username.startsWith("user-"))).toBe(true);
    for (const filter of [
      { prefix: emailPrefix("odd") },
      { role: "staff" },
      { emailVerified: true },
    ]) {
      const hidden = reader.users.countUsers({ filter: filterOf(filter) });
      expect(await refusal(hidden)).toMatchObject({ reason: "ACCESS_DENIED" });
    }
  });

  test.each<[string, object]>([
    ["page_size", { pageSize: -1 }],
    ["filter.states", { filter: { states: [UserState.UNSPECIFIED] } }],
    ["filter.role", { filter: { role: "not a role" } }],
    ["filter.create_time_from", { filter: { createTimeFrom: { seconds: 10n ** 15n, nanos: 0 } } }],
    ["filter.update_time_from", { filter: { updateTimeFrom: { seconds: -(10n ** 12n) } } }],
    ["filter.email_prefix", { filter: { prefix: emailPrefix("") } }],
    ["filter.username_prefix", { filter: { prefix: usernamePrefix("ü") } }],
  ])("refuses a bad %s", async (field, request) => {
    expect(await refusal(backend.users.listUsers(request))).toMatchObject({
      reason: "INVALID_FIELD",
      metadata: { field },
    });
  });
});

function begins(n: number): boolean {
  return `${n}`.startsWith("1");
}

function emailPrefix(value: string) {
  return { case: "emailPrefix", value } as const;
}

function usernamePrefix(value: string) {
  return { case: "usernamePrefix", value } as const;
}

function filterOf(filter: Parameters<typeof create<typeof UserFilterSchema>>[1]) {
  return create(UserFilterSchema, filter);
}

async function listPages(filter: Filter, pageSize: number) {
  const pages = [];
  for (let pageToken = ""; ; ) {
    const page = await backend.users.listUsers({ filter: filterOf(filter), pageSize, pageToken });
    pages.push(page);
    pageToken = page.nextPageToken;
    if (pageToken === "") return pages;
  }
}

async function listAll(filter: Filter, pageSize: number): Promise<string[]> {
  const pages = await listPages(filter, pageSize);
  return pages.flatMap(({ users }) => users.map(({ id }) => id));
}

function openOtherSite(): Promise<TestSite> {
  return openSite(createGrpcTransport({ baseUrl: service.url }), service.operatorKey);
}
