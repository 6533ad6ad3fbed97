import { afterAll, describe, expect, test } from "vitest";
import { Delivery, OneTimePurpose } from "../../gen/signet/v1/auth_service_pb.ts";
import {
  grpcClients,
  logIn,
  refusal,
  type SignedIn,
  signUp,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { mailTo, printedMails } from "../support/mailbox.ts";
import { openSiteOnService } from "../support/site-on-service.ts";

const { RETURN_TOKEN } = Delivery;
const USED = { code: "FailedPrecondition", reason: "ONE_TIME_TOKEN_INVALID" };

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { database, service, site } = opened;
const { backend } = site;

describe("a change of address", () => {
  test("asks the new address, and tells the old one", async () => {
    const person = await signUp(backend);
    const newEmail = uniqueEmail();

    await grpcClients(service.url, person.accessToken).auth.requestEmailChange({ newEmail });
    const { token } = await mailTo(() => printedMails(service), newEmail);
    const before = await backend.users.getUser({ userId: person.userId });
    const facts = await backend.auth.checkOneTimeToken({ token });
    await backend.auth.confirmEmailChange({ token });
    const after = await backend.users.getUser({ userId: person.userId });
    const notice = await mailTo(() => printedMails(service), person.email);

    expect(before.user?.email).toBe(person.email);
    expect(facts).toMatchObject({
      purpose: OneTimePurpose.CONFIRM_EMAIL_CHANGE,
      email: newEmail,
      passwordRequired: false,
    });
    expect(after.user).toMatchObject({ email: newEmail, emailVerified: true });
    expect(notice).toMatchObject({ token: "" });
    await expect(logIn(backend, newEmail, person.password)).resolves.toBeDefined();
    expect(await refusal(logIn(backend, person.email, person.password))).toMatchObject({
      reason: "LOGIN_FAILED",
    });
  });

  test("voids the tokens that were made for the old address", async () => {
    const { userId, email } = await signUp(backend);
    const { oneTimeToken: reset } = await backend.auth.requestPasswordReset({
      identifier: { case: "email", value: email },
      delivery: RETURN_TOKEN,
    });

    await backend.auth.confirmEmailChange({ token: await changeToken(userId, uniqueEmail()) });

    const late = backend.auth.checkOneTimeToken({ token: reset?.token ?? "" });
    expect(await refusal(late)).toMatchObject(USED);
  });

  test("that is asked for anew voids the older request", async () => {
    const { userId } = await signUp(backend);
    const first = await changeToken(userId, uniqueEmail());
    const second = await changeToken(userId, uniqueEmail());

    const late = await refusal(backend.auth.confirmEmailChange({ token: first }));

    expect(late).toMatchObject(USED);
    await expect(backend.auth.confirmEmailChange({ token: second })).resolves.toBeDefined();
  });

  test.each([
    [
      "a reset of the password",
      async ({ email }: SignedIn) => {
        const identifier = { case: "email", value: email } as const;
        const asked = { identifier, delivery: RETURN_TOKEN };
        const { oneTimeToken } = await backend.auth.requestPasswordReset(asked);
        const token = oneTimeToken?.token ?? "";
        await backend.auth.resetPassword({ token, newPassword: unique("another horse") });
      },
    ],
    [
      "a change of the password",
      async ({ accessToken, password }: SignedIn) => {
        const newPassword = unique("another horse");
        const { auth } = grpcClients(service.url, accessToken);
        await auth.changePassword({ currentPassword: password, newPassword });
      },
    ],
    [
      "the end of all Sessions",
      async ({ userId }: SignedIn) => await backend.auth.revokeAllSessions({ userId }),
    ],
    [
      "the end of all other Sessions",
      async ({ accessToken }: SignedIn) =>
        await grpcClients(service.url, accessToken).auth.revokeAllSessions({ keepCurrent: true }),
    ],
  ])("that a thief has asked for in a Session is void after %s", async (_name, recover) => {
    const owner = await signUp(backend);
    const token = await changeToken(owner.userId, uniqueEmail());

    await recover(owner);

    expect(await refusal(backend.auth.confirmEmailChange({ token }))).toMatchObject(USED);
    const { user } = await backend.users.getUser({ userId: owner.userId });
    expect(user?.email).toBe(owner.email);
  });

  test("to an address with an account is told to its owner alone", async () => {
    const [person, owner] = [await signUp(backend), await signUp(backend)];
    const { auth } = grpcClients(service.url, person.accessToken);

    const taken = await auth.requestEmailChange({ newEmail: owner.email });
    const free = await auth.requestEmailChange({ newEmail: uniqueEmail() });
    const mail = await mailTo(() => printedMails(service), owner.email);

    expect(taken).toEqual(free);
    expect(mail.token).toBe("");
  });

  test("to an address that gets an account meanwhile is refused, and the token stays", async () => {
    const { userId } = await signUp(backend);
    const newEmail = uniqueEmail();
    const token = await changeToken(userId, newEmail);
    const { userId: ownerId } = await signUp(backend, newEmail);

    const refused = await refusal(backend.auth.confirmEmailChange({ token }));
    await backend.users.deleteUser({ userId: ownerId });

    expect(refused).toMatchObject({ code: "AlreadyExists", reason: "EMAIL_TAKEN" });
    await expect(backend.auth.confirmEmailChange({ token })).resolves.toBeDefined();
  });

  test("takes a recent login", async () => {
    const { accessToken, sessionId } = await signUp(backend);
    await runAsAdmin(
      database.adminUrl,
      `update signet.sessions set auth_time = auth_time - interval '1 day'
        where id = '${sessionId}'`,
    );

    const { auth } = grpcClients(service.url, accessToken);

    expect(await refusal(auth.requestEmailChange({ newEmail: uniqueEmail() }))).toMatchObject({
      code: "PermissionDenied",
      reason: "RECENT_LOGIN_REQUIRED",
    });
  });

  test("is for the User itself alone, and its token for backends", async () => {
    const [person, other] = [await signUp(backend), await signUp(backend)];
    const { auth } = grpcClients(service.url, person.accessToken);
    const request = { newEmail: uniqueEmail() };

    for (const refused of [{ userId: other.userId }, { delivery: RETURN_TOKEN }]) {
      expect(await refusal(auth.requestEmailChange({ ...request, ...refused }))).toMatchObject({
        reason: "ACCESS_DENIED",
      });
    }
  });

  test("leaves no address behind when the User is deleted", async () => {
    const { userId } = await signUp(backend);
    await changeToken(userId, uniqueEmail());
    const statement = `select from signet.email_changes where user_id = '${userId}'`;
    const before = await runAsAdmin(database.adminUrl, statement);

    await backend.users.deleteUser({ userId });

    expect(before).toHaveLength(1);
    expect(await runAsAdmin(database.adminUrl, statement)).toHaveLength(0);
  });
});

async function changeToken(userId: string, newEmail: string): Promise<string> {
  const request = { userId, newEmail, delivery: RETURN_TOKEN };
  return (await backend.auth.requestEmailChange(request)).oneTimeToken?.token ?? "";
}
