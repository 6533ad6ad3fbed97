import { randomUUID } from "node:crypto";
import { afterAll, describe, expect, test } from "vitest";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import type { User } from "../../gen/signet/v1/user_pb.ts";
import { type Clients, refusal, signUp, unique, uniqueEmail } from "../support/builders.ts";
import { mailTo, printedMails } from "../support/mailbox.ts";
import { openSiteOnService } from "../support/site-on-service.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { operator, service } = opened;
const { auth, users } = opened.site.backend;

describe("CreateUser", () => {
  test("answers repeats at the same instant alike", async () => {
    const given = { id: randomUUID(), email: uniqueEmail() };
    const answers = await Promise.all(Array.from({ length: 10 }, () => users.createUser(given)));

    expect(answers).toEqual(Array(10).fill({ ...answers[0] }));
  });

  test("keeps what JSON can hold, and answers with it as it was", async () => {
    const metadata = {
      plan: "free",
      seats: 3.5,
      tags: ["a", null, true],
      __proto: { deep: { deeper: [[]] } },
      ["__proto__"]: { shown: 1 },
    };
    const { user: made } = await users.createUser({ email: uniqueEmail(), metadata });
    const { user: read } = await users.getUser({ userId: made?.id ?? "" });

    expect(read?.metadata).toEqual(metadata);
    expect(made).toEqual(read);
  });

  test.each<[string, object]>([
    ["metadata.rate", { metadata: { rate: [{ of: "a\0" }] } }],
    ["metadata", { metadata: { text: "x".repeat(8_192) } }],
    ["roles", { roles: ["Admin"] }],
    ["roles", { roles: Array.from({ length: 33 }, (_, n) => `role${n}`) }],
    ["username", { username: "a b" }],
    ["external_id", { externalId: "x".repeat(201) }],
    ["picture_url", { pictureUrl: "http://pictures.example.com/a" }],
    ["locale", { locale: "not a tag" }],
    ["id", { id: "7" }],
    ["email", { email: "nobody" }],
  ])("names a bad %s", async (field, given) => {
    const refused = await refusal(users.createUser({ email: uniqueEmail(), ...given }));

    expect(refused).toMatchObject({ reason: "INVALID_FIELD", metadata: { field } });
  });
});

describe("InviteUser", () => {
  test("answers repeats at the same instant alike, and sends one mail", async () => {
    const given = { id: randomUUID(), email: uniqueEmail() };
    const answers = await Promise.all(Array.from({ length: 10 }, () => users.inviteUser(given)));
    await mailTo(() => printedMails(service), given.email);
    const { events } = await users.listAuditEvents({ subjectId: given.id });

    expect(answers).toEqual(Array(10).fill({ ...answers[0] }));
    expect(events.map(({ kind }) => kind)).toEqual(["user.invited"]);
  });
});

describe("UpdateUser", () => {
  test("makes no Change where only the order of names in metadata differs", async () => {
    const before = await createUser({ metadata: { plan: "free", a: { z: 1, b: [2] } } });
    const metadata = { a: { b: [2], z: 1 }, plan: "free" };
    const { user: after } = await users.updateUser({ userId: before.id, metadata });

    expect(after).toEqual(before);
  });

  test("names in the audit log the fields that changed, and no other", async () => {
    const { id: userId } = await createUser({ displayName: "Ada", externalId: unique("x") });
    await users.updateUser({ userId, displayName: "Ada", externalId: "", metadata: { a: 1 } });
    const { events } = await users.listAuditEvents({ subjectId: userId, kinds: ["user.updated"] });

    expect(events.map(({ facts }) => facts)).toEqual([{ fields: "external_id, metadata" }]);
  });

  test("of the address tells the old one, and voids what was made for it", async () => {
    const { userId, email } = await signUp({ auth } as Clients);
    const identifier = { case: "email", value: email } as const;
    const delivery = Delivery.RETURN_TOKEN;
    const reset = await auth.requestPasswordReset({ identifier, delivery });
    const change = await auth.requestEmailChange({ userId, newEmail: uniqueEmail(), delivery });

    const { user } = await users.updateUser({ userId, email: uniqueEmail() });
    const notice = await mailTo(() => printedMails(service), email);

    expect(user?.emailVerified).toBe(false);
    expect(notice).toMatchObject({ to: email, token: "" });
    for (const { oneTimeToken } of [reset, change]) {
      const token = oneTimeToken?.token ?? "";
      expect(await refusal(auth.checkOneTimeToken({ token }))).toMatchObject({
        reason: "ONE_TIME_TOKEN_INVALID",
      });
    }
  });

  test("of the roles voids access tokens, and Sessions go on at their next refresh", async () => {
    const { userId, accessToken, refreshToken } = await signUp({ auth } as Clients);
    await users.updateUser({ userId, roles: { roles: ["user", "editor"] } });
    const { tokens } = await auth.refreshToken({ refreshToken });
    const { result: old } = await auth.validateToken({ token: accessToken });
    const { result } = await auth.validateToken({ token: tokens?.accessToken ?? "" });

    expect(old.case).toBe("invalid");
    expect(result).toMatchObject({ case: "valid", value: { roles: ["editor", "user"] } });
  });
});

describe("BatchGetUsers", () => {
  test("counts a repeated id once", async () => {
    const { id } = await createUser();
    const answer = await users.batchGetUsers({ userIds: Array(600).fill(id) });
    const tooMany = { userIds: Array.from({ length: 501 }, () => randomUUID()) };

    expect(answer.users.map((user) => user.id)).toEqual([id]);
    expect(await refusal(users.batchGetUsers(tooMany))).toMatchObject({
      reason: "INVALID_FIELD",
      metadata: { field: "user_ids" },
    });
  });
});

describe("an operator who names a Site that there is not", () => {
  const email = uniqueEmail();
  const userId = randomUUID();
  const ref = { case: "id", value: userId } as const;
  test.each<[string, (site: { readonly siteId: string }) => Promise<unknown>]>([
    ["CreateUser", (site) => operator.users.createUser({ ...site, email })],
    ["InviteUser", (site) => operator.users.inviteUser({ ...site, email })],
    ["GetUser", (site) => operator.users.getUser({ ...site, userId })],
    ["LookupUser", (site) => operator.users.lookupUser({ ...site, user: { ref } })],
    ["BatchGetUsers", (site) => operator.users.batchGetUsers({ ...site, userIds: [userId] })],
    ["ListUsers", (site) => operator.users.listUsers(site)],
    ["CountUsers", (site) => operator.users.countUsers(site)],
    ["UpdateUser", (site) => operator.users.updateUser({ ...site, userId })],
    ["DisableUser", (site) => operator.users.disableUser({ ...site, userId })],
    ["EnableUser", (site) => operator.users.enableUser({ ...site, userId })],
    ["UnlockUser", (site) => operator.users.unlockUser({ ...site, userId })],
    ["ResetMfa", (site) => operator.users.resetMfa({ ...site, userId })],
    ["DeleteUser", (site) => operator.users.deleteUser({ ...site, userId })],
    ["ListAuditEvents", (site) => operator.users.listAuditEvents(site)],
  ])("is told so by %s", async (_name, call) => {
    expect(await refusal(call({ siteId: randomUUID() }))).toMatchObject({
      code: "NotFound",
      reason: "SITE_NOT_FOUND",
    });
  });
});

async function createUser(given: Parameters<typeof users.createUser>[0] = {}): Promise<User> {
  const { user } = await users.createUser({ email: uniqueEmail(), ...given });
  if (!user) throw new Error("the answer has no User");
  return user;
}
