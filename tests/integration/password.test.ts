import { afterAll, describe, expect, test } from "vitest";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import {
  grpcClients,
  logIn,
  patiently,
  refusal,
  signUp,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { mailTo, printedMails } from "../support/mailbox.ts";
import { openSiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const { RETURN_TOKEN } = Delivery;
const USED = { code: "FailedPrecondition", reason: "ONE_TIME_TOKEN_INVALID" };

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service, site } = opened;
const { backend } = site;

describe("a password reset", () => {
  test("answers alike for a known, an unknown and a disabled address", async () => {
    const { email } = await signUp(backend);
    const known = await backend.auth.requestPasswordReset(byEmail(email));
    const unknown = await backend.auth.requestPasswordReset(byEmail(uniqueEmail()));

    expect(known).toEqual(unknown);
    const mail = await until(() =>
      printedMails(service).find(({ to, subject }) => to === email && /password/i.test(subject)),
    );
    expect(mail.token).toMatch(/^sgn_ot_/);
  });

  test("sets the password, ends every Session and tells the owner", async () => {
    const { email, password, userId, accessToken, refreshToken } = await signUp(backend);
    const token = await resetToken(email);
    const newPassword = unique("new horse");

    const facts = await backend.auth.checkOneTimeToken({ token });
    const answer = await backend.auth.resetPassword({ token, newPassword });

    expect(facts).toMatchObject({ email, passwordRequired: true });
    expect(answer).toMatchObject({ userId });
    expect(await refusal(logIn(backend, email, password))).toMatchObject({
      reason: "LOGIN_FAILED",
    });
    await expect(logIn(backend, email, newPassword)).resolves.toBeDefined();
    expect(await refusal(backend.auth.refreshToken({ refreshToken }))).toMatchObject({
      reason: "REFRESH_TOKEN_INVALID",
    });
    await until(async () => {
      const { result } = await backend.auth.validateToken({ token: accessToken });
      return result.case === "invalid";
    });
    await until(() => printedMails(service).some((mail) => isNotice(mail, email)));
  });

  test("works once, also when many present the token at the same time", async () => {
    const { email } = await signUp(backend);
    const token = await resetToken(email);
    const reset = () => backend.auth.resetPassword({ token, newPassword: unique("new horse") });
    const attempts = Array.from({ length: 8 }, () => refusal(patiently(reset)));

    const refusals = await Promise.all(attempts.map((each) => each.catch(() => undefined)));

    expect(refusals.filter((each) => each === undefined)).toHaveLength(1);
    expect(refusals.filter(Boolean)).toEqual(Array(7).fill(expect.objectContaining(USED)));
  });

  test("voids the other links, and a rejected password leaves the token good", async () => {
    const { email } = await signUp(backend);
    const [first, second] = [await resetToken(email), await resetToken(email)];

    const rejected = await refusal(
      backend.auth.resetPassword({ token: second, newPassword: "short" }),
    );
    await backend.auth.resetPassword({ token: second, newPassword: unique("new horse") });
    const late = await refusal(
      backend.auth.resetPassword({ token: first, newPassword: unique("new horse") }),
    );

    expect(rejected).toMatchObject({ reason: "PASSWORD_REJECTED" });
    expect(late).toMatchObject(USED);
  });

  test("of an address that waits for verification verifies it", async () => {
    const email = uniqueEmail();
    await backend.auth.register({ email, password: unique("a horse"), delivery: RETURN_TOKEN });
    const newPassword = unique("new horse");

    const token = await resetToken(email);
    const { userId } = await backend.auth.resetPassword({ token, newPassword });

    const { user } = await backend.users.getUser({ userId });
    expect(user).toMatchObject({ email, emailVerified: true });
    await expect(logIn(backend, email, newPassword)).resolves.toBeDefined();
  });

  test("takes no token of another purpose", async () => {
    const { oneTimeToken } = await backend.auth.register({
      email: uniqueEmail(),
      delivery: RETURN_TOKEN,
    });
    const token = oneTimeToken?.token ?? "";

    const reset = backend.auth.resetPassword({ token, newPassword: unique("new horse") });

    expect(await refusal(reset)).toMatchObject(USED);
  });
});

describe("a change of password", () => {
  test("goes on with new tokens, and ends every other Session", async () => {
    const person = await signUp(backend);
    const other = await logIn(backend, person.email, person.password);
    const newPassword = unique("new horse");
    const { auth } = grpcClients(service.url, person.accessToken);

    const { tokens } = await auth.changePassword({
      currentPassword: person.password,
      newPassword,
    });

    const renewed = await backend.auth.refreshToken({ refreshToken: tokens?.refreshToken ?? "" });
    expect(renewed.sessionId).toBe(person.sessionId);
    for (const { refreshToken } of [person, other]) {
      expect(await refusal(backend.auth.refreshToken({ refreshToken }))).toMatchObject({
        reason: "REFRESH_TOKEN_INVALID",
      });
    }
    await until(async () => {
      const { result } = await backend.auth.validateToken({ token: person.accessToken });
      return result.case === "invalid";
    });
    const { result } = await backend.auth.validateToken({ token: tokens?.accessToken ?? "" });
    expect(result.case).toBe("valid");
    await expect(logIn(backend, person.email, newPassword)).resolves.toBeDefined();
    await mailTo(() => printedMails(service), person.email);
  });

  test("takes the present password", async () => {
    const { accessToken } = await signUp(backend);
    const { auth } = grpcClients(service.url, accessToken);

    const refused = await refusal(
      auth.changePassword({ currentPassword: "wrong", newPassword: unique("new horse") }),
    );

    expect(refused).toMatchObject({ code: "Unauthenticated", reason: "LOGIN_FAILED" });
  });

  test("takes no password where the login is recent", async () => {
    const { accessToken, email } = await signUp(backend);
    const newPassword = unique("new horse");

    await grpcClients(service.url, accessToken).auth.changePassword({ newPassword });

    await expect(logIn(backend, email, newPassword)).resolves.toBeDefined();
  });

  test("admits no backend", async () => {
    const refused = await refusal(backend.auth.changePassword({ newPassword: unique("horse") }));

    expect(refused).toMatchObject({ reason: "ACCESS_DENIED" });
  });
});

function byEmail(email: string) {
  return { identifier: { case: "email", value: email } as const };
}

function isNotice({ to, subject }: { to: string; subject: string }, email: string): boolean {
  return to === email && /was changed/.test(subject);
}

async function resetToken(email: string): Promise<string> {
  const { oneTimeToken } = await backend.auth.requestPasswordReset({
    ...byEmail(email),
    delivery: RETURN_TOKEN,
  });
  return oneTimeToken?.token ?? "";
}
