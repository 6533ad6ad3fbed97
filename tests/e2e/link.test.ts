import { createGrpcTransport } from "@connectrpc/connect-node";
import * as bcrypt from "bcrypt";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type AppDatabase, openAppDatabase } from "../support/app-database.ts";
import {
  logIn,
  openSite,
  refusal,
  type TestSite,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { askLink, openLinkApp } from "../support/link-app.ts";
import { runSignet } from "../support/programs.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

const PASSWORD = "four quiet otters swim";

let home: SiteOnService;
let elsewhere: AppDatabase;
let hash: string;
let site: TestSite;

beforeAll(async () => {
  [home, elsewhere, hash] = await Promise.all([
    openSiteOnService(),
    openAppDatabase(),
    bcrypt.hash(PASSWORD, 4),
  ]);
});

afterAll(async () => {
  await Promise.all([home, elsewhere].map((each) => each[Symbol.asyncDispose]()));
});

beforeEach(async () => {
  const { url, operatorKey } = home.service;
  site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
});

function environment() {
  return { SIGNET_URL: home.service.url, SIGNET_KEY: site.key };
}

function openApp(settings: { readonly idType?: string; readonly url?: string } = {}) {
  return openLinkApp({ url: elsewhere.url, environment: environment(), ...settings });
}

function countUsers() {
  return site.backend.users.countUsers({}).then(({ count }) => Number(count));
}

describe.each([
  ["in a schema beside Signet's own", () => home.database.adminUrl],
  ["in a database of its own", () => elsewhere.url],
])("an app %s", (_, urlOf) => {
  test("has its users sign in with the passwords they have", async () => {
    await using app = await openApp({ url: urlOf() });
    const [ada, eve] = [uniqueEmail(), uniqueEmail()];
    await app.add(
      { id: "1", email: ada.toUpperCase(), hash, fullName: "Ada Lovelace" },
      { id: "2", email: eve, username: unique("eve"), hash, deleted: true },
    );

    const plan = await askLink(app, "plan");
    const before = [await countUsers(), await app.columns()];
    const applied = await askLink(app, "apply");
    const verified = await askLink(app, "verify", "--complete");
    const links = await app.links();

    expect(plan).toMatchObject({ exitCode: 0, answer: { created: 2, matched: 0, problems: {} } });
    expect(before).toEqual([0, expect.not.arrayContaining(["auth_user_id"])]);
    expect(applied).toMatchObject({ exitCode: 0, answer: { created: 2 } });
    expect(verified).toMatchObject({
      exitCode: 0,
      answer: { linked: 2, unlinked: 0, missing: [] },
    });
    await logIn(site.backend, ada, PASSWORD);
    const { user } = await site.backend.users.getUser({ userId: links.get("1") ?? "" });
    expect(user).toMatchObject({ externalId: "1", displayName: "Ada Lovelace", email: ada });
    expect(await refusal(logIn(site.backend, eve, PASSWORD))).toMatchObject({
      reason: "LOGIN_FAILED",
    });
    expect((await app.log()).get("2")).toMatchObject({
      outcome: "created",
      old_link: null,
      new_link: links.get("2"),
      log_time: expect.any(Date),
    });
  });

  test("has those sign in by their username who have no address", async () => {
    await using app = await openApp({ url: urlOf() });
    const username = unique("ada");
    await app.add({ id: "1", username: username.toUpperCase(), hash });

    const applied = await askLink(app, "apply");
    const identifier = { case: "username", value: username } as const;
    const { result } = await site.backend.auth.login({ identifier, password: PASSWORD });

    expect(applied).toMatchObject({ exitCode: 0, answer: { created: 1 } });
    expect(result.case).toBe("session");
  });

  test("may be linked again and again: nothing happens twice", async () => {
    await using app = await openApp({ url: urlOf() });
    await app.add({ id: "1", email: uniqueEmail(), hash });
    await app.link("apply");
    const links = await app.links();
    await app.add({ id: "2", email: uniqueEmail(), hash });

    const again = await askLink(app, "apply");
    const idle = await askLink(app, "apply");

    expect(again).toMatchObject({ exitCode: 0, answer: { created: 1 } });
    expect(idle).toMatchObject({ exitCode: 0, answer: { created: 0, matched: 0 } });
    expect((await app.links()).get("1")).toBe(links.get("1"));
    expect(await countUsers()).toBe(2);
  });
});

describe("ids", () => {
  test.each([
    ["integer", ["-3", "2147483647"]],
    ["bigint", ["9007199254740993", "9007199254740992"]],
    ["text", ["a'b", 'Ä "quoted" \\ id']],
    ["varchar(40)", ["42", "042"]],
    ["uuid", ["0197a000-0000-7000-8000-000000000001", "0197a000-0000-7000-8000-000000000002"]],
  ])("may be %s", async (idType, ids) => {
    await using app = await openApp({ idType });
    for (const id of ids) await app.add({ id, email: uniqueEmail(), hash });

    const applied = await askLink(app, "apply", "--batch", "1");
    const links = await app.links();
    const { users } = await site.backend.users.batchGetUsers({
      userIds: [...links.values()].map((link) => link ?? ""),
    });

    expect(applied).toMatchObject({ exitCode: 0, answer: { created: ids.length } });
    expect(users.map(({ externalId }) => externalId).toSorted()).toEqual(ids.toSorted());
    expect([...links.keys()].toSorted()).toEqual(ids.toSorted());
  });
});

describe("verify", () => {
  test("finds links to nobody, and addresses that have gone apart", async () => {
    await using app = await openApp();
    const users = ["1", "2", "3"].map((id) => ({ id, email: uniqueEmail(), hash }));
    await app.add(...users);
    await app.link("apply");
    const links = await app.links();
    await site.backend.users.deleteUser({ userId: links.get("1") ?? "" });
    await app.pool.query(`update ${app.table} set email = 'other@example.com' where id = 2`);

    const { exitCode, answer } = await askLink(app, "verify");

    expect({ exitCode, answer }).toMatchObject({
      exitCode: 1,
      answer: { linked: 3, dangling: 1, mismatched: 1 },
    });
    expect(answer.findings).toEqual([
      { rowId: "1", userId: links.get("1"), fault: "dangling" },
      { rowId: "2", userId: links.get("2"), fault: "mismatched" },
    ]);
  });

  test("says where nothing was ever linked", async () => {
    await using app = await openApp();

    expect(await app.link("verify")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("never linked"),
    });
  });
});

describe("a Site", () => {
  test("is told by the run: another one's key is refused before anything is done", async () => {
    await using app = await openApp();
    await app.add({ id: "1", email: uniqueEmail(), hash });
    await app.link("apply");
    const links = await app.links();
    const other = await openSite(
      createGrpcTransport({ baseUrl: home.service.url }),
      home.service.operatorKey,
    );

    const refused = await runSignet(
      ["link", "apply", "--to", elsewhere.url, "--table", app.table],
      {
        SIGNET_URL: home.service.url,
        SIGNET_KEY: other.key,
      },
    );

    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(site.siteId) });
    expect(await app.links()).toEqual(links);
  });
});
