import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { MfaPolicy } from "../../gen/signet/v1/site_pb.ts";
import { challengeOf, codeAt, signUpWithFactor } from "../support/authenticator.ts";
import {
  type Clients,
  grpcClients,
  openSite,
  refusal,
  signUp,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { attemptsAt } from "../support/guesses.ts";
import { openSiteOnService } from "../support/site-on-service.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { database, service, site } = opened;
const { backend } = site;
const { auth } = backend;
const transport = createGrpcTransport({ baseUrl: service.url });
const asUser = (accessToken: string) => grpcClients(service.url, accessToken);

test("Logout takes the refresh token of another User for an unknown one", async () => {
  const [person, other] = [await signUp(backend), await signUp(backend)];

  const answer = await asUser(person.accessToken).auth.logout({ refreshToken: other.refreshToken });

  expect(answer).toMatchObject({ userId: "", version: 0n });
  const { tokens } = await auth.refreshToken({ refreshToken: other.refreshToken });
  expect(tokens?.accessToken).not.toBe("");
});

test("Register repeated with its id answers as it did, verified or not", async () => {
  const id = crypto.randomUUID();
  const asked = { id, email: uniqueEmail(), password: unique("correct horse") };
  const { userId, oneTimeToken } = await auth.register({
    ...asked,
    delivery: Delivery.RETURN_TOKEN,
  });
  const { version } = await auth.verifyEmail({ token: oneTimeToken?.token ?? "" });

  const again = await auth.register(asked);

  expect(again).toMatchObject({ userId, version });
  const kinds = ["user.registered_again"];
  const { events } = await backend.users.listAuditEvents({ subjectId: userId, kinds });
  expect(events).toEqual([]);
});

test("Register keeps nothing that somebody else has set for the address", async () => {
  const email = uniqueEmail();
  const first = { username: unique("name"), displayName: "Eve", locale: "fr" };
  const password = unique("correct horse");
  const { userId } = await auth.register({ email, password, ...first });

  await auth.register({ email, password: unique("another password") });

  const { user } = await backend.users.getUser({ userId });
  expect(user).toMatchObject({ username: "", displayName: "", locale: "" });
});

test("Login refuses audiences that no token has room for", async () => {
  const { email, password } = await signUp(backend);
  const identifier = { case: "email", value: email } as const;
  const audiences = [1, 2, 3, 4, 5].map((n) => `${n}`.repeat(200));

  const refused = await refusal(auth.login({ identifier, password, audiences }));
  const { result } = await auth.login({ identifier, password, audiences: audiences.slice(0, 4) });

  expect(refused).toMatchObject({ reason: "INVALID_FIELD", metadata: { field: "audiences" } });
  expect(result.case).toBe("session");
});

test("Reauthenticate says how the User has proved who they are", async () => {
  const person = await signUpWithFactor(backend, asUser);
  const own = await withFactor(person);
  const value = person.recoveryCodes[1] ?? "";

  await own.auth.reauthenticate({
    password: person.password,
    code: { case: "recoveryCode", value },
  });

  const { sessions } = await own.auth.listSessions({});
  expect(sessions.find(({ current }) => current)?.amr).toEqual(["pwd", "mfa"]);
});

test("Reauthenticate without the code that is needed is refused, and counts no guess", async () => {
  const person = await signUpWithFactor(backend, asUser);
  const own = await withFactor(person);
  const { password } = person;
  for (let n = 0; n < 21; n += 1) {
    expect((await refusal(own.auth.reauthenticate({ password }))).reason).toBe("LOGIN_FAILED");
  }

  const code = { case: "totpCode", value: codeAt(person.secret, 1) } as const;

  const { accessToken } = await own.auth.reauthenticate({ password, code });
  expect(accessToken).not.toBe("");
});

test("RevokeSession finds no Session of a User that is gone", async () => {
  const { userId, sessionId } = await signUp(backend);
  await backend.users.deleteUser({ userId });

  const refused = await refusal(auth.revokeSession({ sessionId }));

  expect(refused).toMatchObject({ code: "NotFound", reason: "SESSION_NOT_FOUND" });
});

test("ChangePassword without a recent login asks for that, and counts no guess", async () => {
  const person = await signUpWithFactor(backend, asUser);
  const own = await withFactor(person);
  const before = await attemptsAt(database.adminUrl, person);
  await runAsAdmin(
    database.adminUrl,
    `update signet.sessions set auth_time = auth_time - interval '1 day'
      where user_id = '${person.userId}'`,
  );

  const refused = await refusal(
    own.auth.changePassword({
      currentPassword: person.password,
      newPassword: unique("a new password"),
    }),
  );

  expect(refused.reason).toBe("RECENT_LOGIN_REQUIRED");
  expect(await attemptsAt(database.adminUrl, person)).toEqual(before);
});

describe("an enrolment within a login", () => {
  test.each<readonly [string, (clients: Clients, person: Person) => Promise<unknown>]>([
    ["the password was reset", resetPassword],
    ["the User was disabled", ({ users }, { userId }) => users.disableUser({ userId })],
  ])("is void once %s", async (_, voidIt) => {
    const strict = await openSite(transport, service.operatorKey, {
      mfaPolicy: MfaPolicy.REQUIRED,
    });
    const { person, enrollmentToken } = await beginEnrolment(strict.backend);
    const { secret } = await strict.backend.auth.enrollTotp({ enrollmentToken });

    await voidIt(strict.backend, person);

    const begun = await refusal(strict.backend.auth.enrollTotp({ enrollmentToken }));
    const confirmed = await refusal(
      strict.backend.auth.confirmTotp({ enrollmentToken, totpCode: codeAt(secret) }),
    );
    expect([begun.reason, confirmed.reason]).toEqual(Array(2).fill("ONE_TIME_TOKEN_INVALID"));
    const { user } = await strict.backend.users.getUser({ userId: person.userId });
    expect(user?.mfaEnabled).toBe(false);
  });
});

interface Person {
  readonly userId: string;
  readonly email: string;
}

async function withFactor(person: Awaited<ReturnType<typeof signUpWithFactor>>): Promise<Clients> {
  const challengeToken = await challengeOf(backend, person);
  const code = { case: "recoveryCode", value: person.recoveryCodes[0] ?? "" } as const;
  const { session } = await auth.completeMfa({ challengeToken, code });
  return asUser(session?.tokens?.accessToken ?? "");
}

async function beginEnrolment(clients: Clients) {
  const [email, password] = [uniqueEmail(), unique("correct horse")];
  const delivery = Delivery.RETURN_TOKEN;
  const { userId, oneTimeToken } = await clients.auth.register({ email, password, delivery });
  await clients.auth.verifyEmail({ token: oneTimeToken?.token ?? "" });
  const identifier = { case: "email", value: email } as const;
  const { result } = await clients.auth.login({ identifier, password });
  if (result.case !== "mfaEnrollment") throw new Error(`the login answered with ${result.case}`);
  return { person: { userId, email }, enrollmentToken: result.value.enrollmentToken };
}

async function resetPassword(clients: Clients, { email }: Person): Promise<void> {
  const { oneTimeToken } = await clients.auth.requestPasswordReset({
    identifier: { case: "email", value: email },
    delivery: Delivery.RETURN_TOKEN,
  });
  const token = oneTimeToken?.token ?? "";
  await clients.auth.resetPassword({ token, newPassword: unique("a new password") });
}
