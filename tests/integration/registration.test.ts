import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
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
  uniqueEmail,
} from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { mailTo, printedMails } from "../support/mailbox.ts";
import { openSiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const { RETURN_TOKEN } = Delivery;
const USED = { code: "FailedPrecondition", reason: "ONE_TIME_TOKEN_INVALID" };

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { database, service, operator, site } = opened;
const { backend } = site;

describe("a registration", () => {
  test("answers an anonymous caller alike, whether or not the address has an account", async () => {
    const siteId = await createSite(operator, { publicCalls: true });
    const key = await createKey(operator, siteId);
    const { email } = await signUp(grpcClients(service.url, key));
    const { auth } = grpcClients(service.url);
    const password = unique("correct horse");

    const known = await auth.register({ siteId, email, password });
    const unknown = await auth.register({ siteId, email: uniqueEmail(), password });
    const mail = await mailTo(() => printedMails(service), email);

    expect(known).toEqual(unknown);
    expect(known.userId).toBe("");
    expect(mail.token).toBe("");
  });

  test("of an address with an account leaves the account as it is", async () => {
    const { email, password, userId } = await signUp(backend);
    const before = await backend.users.getUser({ userId });
    const delivery = RETURN_TOKEN;
    const again = await backend.auth.register({ email, password: unique("evil horse"), delivery });
    const after = await backend.users.getUser({ userId });

    expect(again.oneTimeToken).toBeUndefined();
    expect(after.user).toEqual(before.user);
    await expect(logIn(backend, email, password)).resolves.toBeDefined();
  });

  test("by two people of one address keeps the password of neither", async () => {
    const [email, mine, theirs] = [uniqueEmail(), unique("my horse x"), unique("their horse")];
    await backend.auth.register({ email, password: theirs, delivery: RETURN_TOKEN });
    const second = await backend.auth.register({ email, password: mine, delivery: RETURN_TOKEN });
    const token = second.oneTimeToken?.token ?? "";
    const withoutPassword = await refusal(backend.auth.verifyEmail({ token }));
    await backend.auth.verifyEmail({ token, password: mine });

    expect(withoutPassword).toMatchObject({
      reason: "INVALID_FIELD",
      metadata: { field: "password" },
    });
    await expect(logIn(backend, email, mine)).resolves.toBeDefined();
    expect(await refusal(logIn(backend, email, theirs))).toMatchObject({ reason: "LOGIN_FAILED" });
  });

  test("of an address that nobody has registered keeps what was entered for it", async () => {
    const [email, password] = [uniqueEmail(), unique("my own horse")];
    const entered = { username: unique("ada"), displayName: "Ada Lovelace", locale: "de" };
    const made = await backend.users.createUser({ email, ...entered, roles: ["staff"] });
    const delivery = RETURN_TOKEN;
    const brought = { username: unique("eve"), displayName: "Eve", locale: "fr" };
    const first = await backend.auth.register({ email, password, delivery });
    const { oneTimeToken } = await backend.auth.register({ email, password, ...brought, delivery });
    const waiting = await backend.users.getUser({ userId: made.user?.id ?? "" });
    const token = oneTimeToken?.token ?? "";
    const withoutPassword = await refusal(backend.auth.verifyEmail({ token }));
    await backend.auth.verifyEmail({ token, password });
    const { user } = await backend.users.getUser({ userId: made.user?.id ?? "" });

    expect(first).toMatchObject({ userId: made.user?.id, version: made.user?.version });
    expect(waiting.user).toEqual(made.user);
    expect(withoutPassword).toMatchObject({ metadata: { field: "password" } });
    expect(user).toMatchObject({ ...entered, roles: ["staff"], emailVerified: true });
    await expect(logIn(backend, email, password)).resolves.toBeDefined();
  });

  test("over an earlier one with a password clears what that one brought", async () => {
    const email = uniqueEmail();
    const brought = { username: unique("eve"), displayName: "Eve", locale: "fr" };
    const password = unique("evil horse");
    const { userId } = await backend.auth.register({ email, password, ...brought });
    await backend.auth.register({ email, password: unique("my own horse") });
    const { user } = await backend.users.getUser({ userId });

    expect(user).toMatchObject({ username: "", displayName: "", locale: "" });
    expect(user?.passwordChangeTime).toBeUndefined();
  });

  test("with a password that guessers try first is refused, whatever its length", async () => {
    const register = backend.auth.register({
      email: uniqueEmail(),
      password: "Password".repeat(3),
    });

    expect(await refusal(register)).toMatchObject({
      code: "InvalidArgument",
      reason: "PASSWORD_REJECTED",
      metadata: { field: "password" },
    });
  });

  test("again and again floods nobody: an address gets six such mails in an hour", async () => {
    const [email, other] = [uniqueEmail(), uniqueEmail()];
    for (let n = 0; n < 8; n += 1) {
      await backend.auth.register({ email, password: unique("correct horse") });
    }
    await backend.auth.register({ email: other, password: unique("correct horse") });
    await mailTo(() => printedMails(service), other);
    await until(async () => (await waitingMails()) === 0);

    expect(printedMails(service).filter(({ to }) => to === email)).toHaveLength(6);
  });

  test("twice with the same password is one registration with one Change", async () => {
    const [email, password] = [uniqueEmail(), unique("correct horse")];
    const first = await backend.auth.register({ email, password, delivery: RETURN_TOKEN });
    const second = await backend.auth.register({ email, password, delivery: RETURN_TOKEN });
    await backend.auth.verifyEmail({ token: second.oneTimeToken?.token ?? "" });

    expect(second).toMatchObject({ userId: first.userId, version: first.version });
    await expect(logIn(backend, email, password)).resolves.toBeDefined();
  });

  test("leaves out a username that another User has", async () => {
    const username = unique("u");
    await backend.users.createUser({ email: uniqueEmail(), username });
    const password = unique("correct horse");
    const { userId } = await backend.auth.register({ email: uniqueEmail(), username, password });
    const { user } = await backend.users.getUser({ userId });

    expect(user?.username).toBe("");
  });

  test("is refused where the Site takes none", async () => {
    const siteId = await createSite(operator, { selfRegistration: false });
    const refused = await refusal(operator.auth.register({ siteId, email: uniqueEmail() }));

    expect(refused).toMatchObject({ code: "FailedPrecondition", reason: "SELF_REGISTRATION_OFF" });
  });

  test("gives no token to a key without the scope for it", async () => {
    const key = await createKey(operator, site.siteId, { scopes: [Scope.AUTH] });
    const { auth } = grpcClients(service.url, key);
    const call = auth.register({ email: uniqueEmail(), delivery: RETURN_TOKEN });

    expect(await refusal(call)).toMatchObject({ reason: "ACCESS_DENIED" });
  });

  test.each([14, 257])("is refused with a password of %d characters", async (length) => {
    const password = "x".repeat(length);
    const refused = await refusal(backend.auth.register({ email: uniqueEmail(), password }));

    expect(refused).toMatchObject({
      code: "InvalidArgument",
      reason: "PASSWORD_REJECTED",
      metadata: { field: "password" },
    });
  });
});

describe("the token of a mail", () => {
  test("works once", async () => {
    const token = await registerForToken();
    await backend.auth.verifyEmail({ token });

    expect(await refusal(backend.auth.verifyEmail({ token }))).toMatchObject(USED);
  });

  test("is refused alike, whether unknown, expired or of another Site", async () => {
    const expired = await registerForToken();
    await runAsAdmin(
      database.adminUrl,
      `update signet.one_time_tokens set expire_time = now() - interval '1 s'
        where site_id = '${site.siteId}' and use_time is null`,
    );
    const transport = createGrpcTransport({ baseUrl: service.url });
    const other = await openSite(transport, service.operatorKey);
    const foreign = await registerForToken(other.backend);
    const refused = await refusal(backend.auth.verifyEmail({ token: "sgn_ot_x" }));

    expect(refused).toMatchObject(USED);
    expect(await refusal(backend.auth.verifyEmail({ token: expired }))).toEqual(refused);
    expect(await refusal(backend.auth.verifyEmail({ token: foreign }))).toEqual(refused);
    await expect(other.backend.auth.verifyEmail({ token: foreign })).resolves.toBeDefined();
  });

  test("stays good when the call is refused for another field's sake", async () => {
    const taken = unique("u");
    await backend.users.createUser({ email: uniqueEmail(), username: taken });
    const token = await registerForToken();
    const refused = await refusal(backend.auth.verifyEmail({ token, username: taken }));

    expect(refused).toMatchObject({ code: "AlreadyExists", reason: "USERNAME_TAKEN" });
    await expect(backend.auth.verifyEmail({ token })).resolves.toBeDefined();
  });

  test("is void once the address has changed", async () => {
    const email = uniqueEmail();
    const password = unique("correct horse");
    const { userId, oneTimeToken } = await backend.auth.register({
      email,
      password,
      delivery: RETURN_TOKEN,
    });
    await backend.users.updateUser({ userId, email: uniqueEmail() });
    const token = oneTimeToken?.token ?? "";

    expect(await refusal(backend.auth.verifyEmail({ token }))).toMatchObject(USED);
  });
});

async function registerForToken({ auth }: Clients = backend): Promise<string> {
  const password = unique("correct horse");
  const delivery = RETURN_TOKEN;
  const { oneTimeToken } = await auth.register({ email: uniqueEmail(), password, delivery });
  return oneTimeToken?.token ?? "";
}

async function waitingMails(): Promise<number> {
  const jobs = await runAsAdmin(database.adminUrl, "select from graphile_worker.jobs");
  return jobs.length;
}
