import { createGrpcTransport } from "@connectrpc/connect-node";
import * as bcrypt from "bcrypt";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type AppDatabase, openAppDatabase } from "../support/app-database.ts";
import {
  logIn,
  openSite,
  refusal,
  signUp,
  type TestSite,
  uniqueEmail,
} from "../support/builders.ts";
import { askLink, openLinkApp } from "../support/link-app.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

const PASSWORD = "four quiet otters swim";

let home: SiteOnService;
let database: AppDatabase;
let hash: string;
let site: TestSite;

beforeAll(async () => {
  [home, database, hash] = await Promise.all([
    openSiteOnService(),
    openAppDatabase(),
    bcrypt.hash(PASSWORD, 4),
  ]);
});

afterAll(async () => {
  await Promise.all([home, database].map((each) => each[Symbol.asyncDispose]()));
});

beforeEach(async () => {
  const { url, operatorKey } = home.service;
  site = await openSite(createGrpcTransport({ baseUrl: url }), operatorKey);
});

function openApp() {
  const environment = { SIGNET_URL: home.service.url, SIGNET_KEY: site.key };
  return openLinkApp({ url: database.url, environment });
}

describe("rows that nobody but a person can decide about", () => {
  test("are named by plan and apply, and stop no other", async () => {
    await using app = await openApp();
    const [twice, good] = [uniqueEmail(), uniqueEmail()];
    await app.add(
      { id: "1", email: twice, hash },
      { id: "2", email: twice.toUpperCase(), hash },
      { id: "3", hash },
      { id: "4", email: uniqueEmail(), hash: "5f4dcc3b5aa765d61d8327deb882cf99" },
      { id: "5", email: "no address", hash },
      { id: "6", email: uniqueEmail(), username: "Name With Spaces", hash },
      { id: "7", email: good, hash },
    );

    const plan = await askLink(app, "plan");
    const applied = await askLink(app, "apply");

    const problems = { duplicate_address: 2, no_name: 1, unreadable_hash: 1, refused: 2 };
    expect(plan.answer).toMatchObject({ created: 1, problems });
    expect(applied).toMatchObject({ exitCode: 3, answer: { created: 1, problems } });
    expect(applied.answer.findings).toContainEqual({
      rowId: "6",
      problem: "refused",
      detail: expect.stringContaining("username"),
    });
    const linked = [...(await app.links())].filter(([, link]) => link !== null);
    expect(linked.map(([id]) => id)).toEqual(["7"]);
    expect((await app.log()).get("4")).toMatchObject({ outcome: "skipped", new_link: null });
    await logIn(site.backend, good, PASSWORD);
    expect(await askLink(app, "verify", "--complete")).toMatchObject({ exitCode: 1 });
    expect(await askLink(app, "verify")).toMatchObject({ exitCode: 0, answer: { unlinked: 6 } });
  });

  test("are linked once they are put right", async () => {
    await using app = await openApp();
    const twice = uniqueEmail();
    await app.add({ id: "1", email: twice, hash }, { id: "2", email: twice, hash });
    await app.link("apply");

    await app.pool.query(`update ${app.table} set deleted_at = now() where id = 1`);
    const applied = await askLink(app, "apply");

    // Of two accounts with one address the one in use is the one that is meant.
    expect(applied).toMatchObject({ exitCode: 3, answer: { created: 1 } });
    expect([...(await app.links()).values()]).toEqual([null, expect.any(String)]);
  });

  test("are linked without a hash that cannot be read, if that is wanted", async () => {
    await using app = await openApp();
    const costly = `$2b$31$${"a".repeat(53)}`;
    await app.add(
      { id: "1", email: uniqueEmail(), hash: "{SSHA}x" },
      { id: "2", email: uniqueEmail(), hash: costly },
    );

    const skipped = await askLink(app, "apply");
    const applied = await askLink(app, "apply", "--unreadable-hashes", "reset");
    const [link = ""] = (await app.links()).values();
    const { user } = await site.backend.users.getUser({ userId: link ?? "" });

    expect(skipped.answer).toMatchObject({ created: 0, problems: { unreadable_hash: 2 } });
    expect(applied).toMatchObject({ exitCode: 0, answer: { created: 2, withoutPassword: 2 } });
    expect(user?.passwordChangeTime).toBeUndefined();
  });

  test("are shown to people with the reason, and what would run", async () => {
    await using app = await openApp();
    await app.add({ id: "1", hash }, { id: "2", email: uniqueEmail(), confirmed: false });

    const { exitCode, stdout } = await app.link("plan");

    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^to create +1$/m);
    expect(stdout).toMatch(/^ {2}no_name +1: has neither address nor username/m);
    expect(stdout).toMatch(/^1 of the new Users have to verify their address/m);
    expect(stdout).toMatch(/^1 +no_name +-$/m);
    expect(stdout).toMatch(/^alter table .* add column "auth_user_id" uuid;$/m);
    expect(stdout).not.toContain(hash);
  });
});

describe("Users who are there already", () => {
  test("are found by an address verified on both sides, and keep their password", async () => {
    await using app = await openApp();
    const person = await signUp(site.backend);
    await app.add({ id: "1", email: person.email, hash });

    const applied = await askLink(app, "apply");
    const { user } = await site.backend.users.getUser({ userId: person.userId });

    expect(applied).toMatchObject({ exitCode: 0, answer: { created: 0, matched: 1 } });
    expect([...(await app.links()).values()]).toEqual([person.userId]);
    expect(user?.externalId).toBe("1");
    await logIn(site.backend, person.email, person.password);
    expect(await refusal(logIn(site.backend, person.email, PASSWORD))).toMatchObject({
      reason: "LOGIN_FAILED",
    });
  });

  test("get the hash of the app where they have no password", async () => {
    await using app = await openApp();
    const email = uniqueEmail();
    const { user } = await site.backend.users.createUser({ email, emailVerified: true });
    await app.add({ id: "1", email, hash });

    await app.link("apply");

    expect([...(await app.links()).values()]).toEqual([user?.id]);
    await logIn(site.backend, email, PASSWORD);
  });

  test("stay untouched where their address is unverified on one side", async () => {
    await using app = await openApp();
    const [here, there] = [uniqueEmail(), uniqueEmail()];
    const squatter = await site.backend.users.createUser({ email: here });
    const victim = await site.backend.users.createUser({ email: there, emailVerified: true });
    await app.add(
      { id: "1", email: here, hash },
      { id: "2", email: there, hash, confirmed: false },
    );

    const applied = await askLink(app, "apply");

    expect(applied).toMatchObject({ exitCode: 3, answer: { problems: { unverified_match: 2 } } });
    for (const { user } of [squatter, victim]) {
      const now = await site.backend.users.getUser({ userId: user?.id ?? "" });
      expect(now.user).toMatchObject({ version: user?.version, externalId: "" });
    }
  });

  test("are not those of another app that has the same ids", async () => {
    await using app = await openApp();
    const { user } = await site.backend.users.createUser({ email: uniqueEmail(), externalId: "1" });
    await app.add({ id: "1", email: uniqueEmail(), hash });

    const clash = await askLink(app, "apply");
    const prefixed = await askLink(app, "apply", "--external-id-prefix", "shop:");
    const [link] = (await app.links()).values();

    expect(clash).toMatchObject({ exitCode: 3, answer: { problems: { other_person: 1 } } });
    expect(prefixed).toMatchObject({ exitCode: 0, answer: { created: 1 } });
    expect(link).not.toBe(user?.id);
  });
});
