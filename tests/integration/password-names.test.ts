import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import {
  type Clients,
  createKey,
  createSite,
  grpcClients,
  logIn,
  openSite,
  refusal,
  signUp,
  unique,
} from "../support/builders.ts";
import { openSiteOnService } from "../support/site-on-service.ts";

const delivery = Delivery.RETURN_TOKEN;
const field = (name: string) => ({
  code: "InvalidArgument",
  reason: "PASSWORD_REJECTED",
  metadata: { field: name, problem: "is little more than names of the Site or the User" },
});

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service, operator } = opened;
const domain = `${unique("harbour")}.example.com`;
const transport = createGrpcTransport({ baseUrl: service.url });
const site = await openSite(transport, service.operatorKey, {
  name: "Lighthouse Tools",
  domains: [domain],
  frontendUrl: `https://${domain}`,
});
const { auth, users } = site.backend;

describe("a registration is refused with a password", () => {
  test.each([
    ["of the Site's name", "Lighthouse-Tools-2026"],
    ["of its domain", `${domain.split(".")[0]}!!!!`],
    ["of the username", "penelope.penelope.1"],
    ["of the display name", "Featherstonehaugh!1"],
    ["of the address", "marigold-marigold-1"],
    ["of the address's domain", "windermere 123456789"],
    ["of Signet's name", "SIGNET-signet-1234"],
  ])("%s", async (_what, password) => {
    const refused = await refusal(auth.register({ ...newPerson(), password }));

    expect(refused).toEqual({ ...field("password"), retryDelayMs: 0 });
  });

  test("but not with a passphrase that has a name in it", async () => {
    const [person, password] = [newPerson(), "marigold lights three lamps"];
    const { oneTimeToken } = await auth.register({ ...person, password, delivery });
    await auth.verifyEmail({ token: oneTimeToken?.token ?? "" });

    await expect(logIn(site.backend, person.email, password)).resolves.toBeDefined();
  });

  test("nor for the names of a User that there is, which would tell of it", async () => {
    const { email } = newPerson();
    const names = { username: unique("persephone"), displayName: "Persephone" };
    const { user } = await users.createUser({ email, ...names });

    const { userId } = await auth.register({ email, password: "persephone-1234" });

    expect(userId).toBe(user?.id);
  });
});

test("an invitation takes no password of names, old or new, and stays good", async () => {
  const { email } = newPerson();
  const invited = { email, displayName: "Featherstonehaugh", delivery };
  const { oneTimeToken } = await users.inviteUser(invited);
  const token = oneTimeToken?.token ?? "";
  const accept = (password: string) =>
    auth.acceptInvitation({ token, password, username: unique("bartholomew") });

  for (const password of ["Featherstonehaugh-1", "bartholomew-bartholomew"]) {
    expect(await refusal(accept(password))).toMatchObject(field("password"));
  }
  await expect(accept(unique("correct horse"))).resolves.toBeDefined();
});

test("a verification takes no password of names, and its token stays good", async () => {
  const { email } = newPerson();
  const { oneTimeToken } = await auth.register({ email, displayName: "Bartholomew", delivery });
  const verify = (password: string) =>
    auth.verifyEmail({ token: oneTimeToken?.token ?? "", password });

  expect(await refusal(verify("bartholomew-1234"))).toMatchObject(field("password"));
  await expect(verify(unique("correct horse"))).resolves.toBeDefined();
});

test("a reset takes no password of names, and its token stays good", async () => {
  const { email } = await signUp(site.backend, newPerson().email);
  const identifier = { case: "email", value: email } as const;
  const { oneTimeToken } = await auth.requestPasswordReset({ identifier, delivery });
  const reset = (newPassword: string, token = oneTimeToken?.token ?? "") =>
    auth.resetPassword({ token, newPassword });

  expect(await refusal(reset("marigold-2026-marigold"))).toMatchObject(field("new_password"));
  expect(await refusal(reset("marigold-2026-marigold", "sgn_ot_x"))).toMatchObject({
    reason: "ONE_TIME_TOKEN_INVALID",
  });
  await expect(reset(unique("new horse"))).resolves.toBeDefined();
});

test("a change takes no password of names, and counts no guess for it", async () => {
  const { userId, password, accessToken } = await signUp(site.backend, newPerson().email);
  const own = grpcClients(service.url, accessToken);
  const change = { currentPassword: password, newPassword: "Marigold-2026-Marigold" };

  expect(await refusal(own.auth.changePassword(change))).toMatchObject(field("new_password"));
  expect((await users.getUser({ userId })).signIn).toMatchObject({ failedLogins: 0 });
  const next = { ...change, newPassword: unique("new horse") };
  await expect(own.auth.changePassword(next)).resolves.toBeDefined();
});

test("names of another Site are words like any other", async () => {
  const other: Clients = grpcClients(
    service.url,
    await createKey(operator, await createSite(operator)),
  );
  const { email } = newPerson();

  const { userId } = await other.auth.register({ email, password: "Lighthouse-Tools-2026" });

  expect((await other.users.getUser({ userId })).user?.email).toBe(email);
});

function newPerson() {
  const username = unique("penelope");
  const email = `${unique("marigold")}@windermere.example.com`;
  return { email, username, displayName: "Ada Featherstonehaugh" };
}
