import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { ChangeKind } from "../../gen/signet/v1/change_pb.ts";
import { codeAt } from "../support/authenticator.ts";
import { createKey, grpcClients, logIn, unique, uniqueEmail } from "../support/builders.ts";
import { databaseText, formsOf } from "../support/database-text.ts";
import type { JsonAnswer } from "../support/json-call.ts";
import { openTenants, type Tenant, type Tenants } from "../support/tenants.ts";
import { until } from "../support/waiting.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

let opened: Tenants;
let shop: Tenant;

beforeAll(async () => {
  opened = await openTenants();
  shop = opened.first;
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("whether an address has an account", () => {
  const password = unique("four quiet otters");
  const wrong = unique("not the password");
  const questions: readonly (readonly [string, (email: string) => object])[] = [
    ["Register", (email) => ({ email, password: wrong })],
    ["Login", (email) => ({ email, password: wrong })],
    ["RequestPasswordReset", (email) => ({ email })],
    ["ResendVerification", (email) => ({ email })],
  ];

  test.each(questions)("is not told by %s, to the byte", async (rpc, question) => {
    const { asBrowser, mailTo, signUp } = opened;
    const verified = await signUp(shop);
    const waiting = uniqueEmail();
    await asBrowser(shop, "Register", { email: waiting, password });
    await mailTo(waiting);

    const answers = await Promise.all(
      [verified.email, waiting, uniqueEmail()].map((email) =>
        asBrowser(shop, rpc, question(email)),
      ),
    );

    const [one, ...others] = answers.map(visible);
    expect(others).toEqual([one, one]);
  });

  test("is told to its owner alone, by a mail", async () => {
    const { asBrowser, mailbox, signUp } = opened;
    const { email } = await signUp(shop);

    await asBrowser(shop, "Register", { email, password: wrong });

    await until(() => mailbox.mails.find(({ to, link }) => to === email && link === ""));
  });
});

test("no secret stands in the database as it is", async () => {
  const { database, service } = opened;
  const { email, secrets } = await plantSecrets();

  const text = await databaseText(database.adminUrl);

  const found = Object.entries(secrets).filter(([, secret]) =>
    formsOf(secret).some((form) => text.includes(form)),
  );
  expect(Object.values(secrets).filter((secret) => secret.length < 10)).toEqual([]);
  expect(text).toContain(email);
  expect(found.map(([name]) => name)).toEqual([]);
  expect(service.stderr()).not.toContain(email);
});

test("webhooks tell of each kind of Change", async () => {
  await using receiver = await startReceiver();
  const { operator, service } = opened;
  const { siteId } = shop;
  const settings = { siteId, url: receiver.url };
  receiver.secrets.push((await operator.sync.createWebhook(settings)).secret);
  const { backend } = await keyOfAll();
  const { users } = backend;

  const { email, password, userId } = await opened.signUp(shop);
  const { accessToken } = await logIn(backend, email, password);
  const own = grpcClients(service.url, accessToken).auth;
  const { secret } = await own.enrollTotp({});
  await own.confirmTotp({ totpCode: codeAt(secret) });
  await users.updateUser({ userId, displayName: "Ada" });
  await users.updateUser({ userId, email: uniqueEmail() });
  await operator.users.updateUser({ siteId, userId, roles: { roles: ["editor", "user"] } });
  const resets = await backend.auth.requestPasswordReset({
    identifier: { case: "email", value: (await users.getUser({ userId })).user?.email ?? "" },
    delivery: Delivery.RETURN_TOKEN,
  });
  const token = resets.oneTimeToken?.token ?? "";
  await backend.auth.resetPassword({ token, newPassword: unique("seven brisk herons") });
  await users.disableUser({ userId });
  await users.enableUser({ userId });
  await users.deleteUser({ userId });
  const delivery = Delivery.RETURN_TOKEN;
  const invited = await users.inviteUser({ email: uniqueEmail(), delivery });
  await backend.auth.acceptInvitation({ token: invited.oneTimeToken?.token ?? "", password });

  const all = Object.values(ChangeKind).filter((kind) => kind !== ChangeKind.UNSPECIFIED);
  const told = () =>
    new Set(
      receiver.accepted.flatMap(({ event: { change } }) =>
        change ? [change.kind, ...change.furtherKinds] : [],
      ),
    );
  await until(() => told().isSupersetOf(new Set(all)), 60_000);
  expect(receiver.refusals).toEqual([]);
});

/** What of an answer can differ; dates and ids of requests do anyway. */
function visible({ status, headers, body }: JsonAnswer) {
  const { date, "x-request-id": _, ...others } = headers;
  return { status, body, headers: others };
}

async function keyOfAll() {
  const { operator, service } = opened;
  const key = await createKey(operator, shop.siteId);
  return { key, backend: grpcClients(service.url, key) };
}

/** Has a secret of each kind made, and returns who they belong to. */
async function plantSecrets() {
  const { operator, service, signUp } = opened;
  const { siteId } = shop;
  const { key, backend } = await keyOfAll();
  const { email, password } = await signUp(shop);
  const { accessToken, refreshToken } = await logIn(backend, email, password);
  const own = grpcClients(service.url, accessToken).auth;
  const { secret: totp } = await own.enrollTotp({});
  const { recoveryCodes } = await own.confirmTotp({ totpCode: codeAt(totp) });
  const identifier = { case: "email", value: email } as const;
  const delivery = Delivery.RETURN_TOKEN;
  const reset = await backend.auth.requestPasswordReset({ identifier, delivery });
  const url = "https://hooks.example.com/signet";
  const webhook = (await operator.sync.createWebhook({ siteId, url })).secret;
  const { secret: operatorKey } = await operator.sites.createApiKey({
    operator: true,
    label: "another",
  });
  const token = reset.oneTimeToken?.token ?? "";
  const [recoveryCode = ""] = recoveryCodes;
  const secrets = {
    password,
    accessToken,
    refreshToken,
    totp,
    recoveryCode,
    reset: token,
    key,
    operatorKey,
    ownOperatorKey: service.operatorKey,
    webhook,
  };
  return { email, secrets };
}
