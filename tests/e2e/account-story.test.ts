import type { Transport } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Delivery, MfaMethod, OneTimePurpose } from "../../gen/signet/v1/auth_service_pb.ts";
import { UserState } from "../../gen/signet/v1/user_pb.ts";
import { challengeOf, codeAt } from "../support/authenticator.ts";
import {
  clientsOf,
  logIn,
  openSite,
  refusal,
  type TestSite,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { createPlainJsonTransport } from "../support/plain-json-transport.ts";
import { startService, type TestService } from "../support/service.ts";
import { WIRES } from "../support/wires.ts";

const ALL_WIRES = [...WIRES, ["plain JSON by node:http", createPlainJsonTransport]] as const;
const { RETURN_TOKEN: delivery } = Delivery;

let database: TestDatabase;
let service: TestService;

beforeAll(async () => {
  database = await openTestDatabase();
  service = await startService({ databaseUrl: database.appUrl });
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe.each(ALL_WIRES)("the life of an account over %s", (_wire, connect) => {
  let transport: Transport;
  let site: TestSite;

  beforeAll(async () => {
    transport = connect(service.url);
    site = await openSite(transport, service.operatorKey);
  });

  test("from the invitation to a second factor, and another password and address", async () => {
    const { backend } = site;
    const { email, password, userId } = await invited();
    const first = await logIn(backend, email, password);
    const own = as(first.accessToken);

    const { secret } = await own.enrollTotp({});
    const enrolled = await own.confirmTotp({ totpCode: codeAt(secret) });
    const challengeToken = await challengeOf(backend, { email, password });
    const code = { case: "totpCode", value: codeAt(secret, 1) } as const;
    const { session } = await backend.auth.completeMfa({ challengeToken, code });
    const [newPassword, newEmail] = [unique("new horse"), uniqueEmail()];
    const changed = await as(session?.tokens?.accessToken).changePassword({ newPassword });
    const goingOn = as(changed.tokens?.accessToken);
    await goingOn.requestEmailChange({ newEmail });
    const request = { userId, newEmail, delivery };
    const { oneTimeToken } = await backend.auth.requestEmailChange(request);
    const confirmed = await backend.auth.confirmEmailChange({ token: oneTimeToken?.token ?? "" });
    const { user } = await backend.users.getUser({ userId });
    const resent = await backend.auth.resendVerification({ email: newEmail, delivery });

    expect(enrolled.recoveryCodes).toHaveLength(10);
    expect(enrolled.session?.session?.id).toBe(first.sessionId);
    expect(session?.session?.amr).toEqual(["pwd", "otp", "mfa"]);
    expect(oneTimeToken?.purpose).toBe(OneTimePurpose.CONFIRM_EMAIL_CHANGE);
    expect(confirmed.version).toBe(user?.version);
    expect(user).toMatchObject({ email: newEmail, emailVerified: true, mfaEnabled: true });
    expect(resent.oneTimeToken).toBeUndefined();
    const again = await challengeOf(backend, { email: newEmail, password: newPassword });
    expect(again).not.toBe(challengeToken);
  });

  test("its Sessions, a reset, and an account that is disabled for a while", async () => {
    const { auth, users } = site.backend;
    const { email, password, userId } = await invited();
    const logInAgain = (word: string) => logIn(site.backend, email, word);
    const [first, second] = [await logInAgain(password), await logInAgain(password)];
    const { sessions } = await as(first.accessToken).listSessions({});
    await as(first.accessToken).revokeSession({ sessionId: second.sessionId });
    const proven = await as(first.accessToken).reauthenticate({ password });
    const exchanged = await as(proven.accessToken).exchangeToken({ audience: "reports" });
    const { result } = await auth.validateToken({
      token: exchanged.accessToken,
      audience: "reports",
    });
    const ended = await auth.revokeAllSessions({ userId });
    const identifier = { case: "email", value: email } as const;
    const { oneTimeToken } = await auth.requestPasswordReset({ identifier, delivery });
    const newPassword = unique("new horse");
    await auth.resetPassword({ token: oneTimeToken?.token ?? "", newPassword });
    const { user: disabled } = await users.disableUser({ userId });
    const refused = await refusal(logInAgain(newPassword));
    const { user: enabled } = await users.enableUser({ userId });
    await users.unlockUser({ userId });

    const ids = [second.sessionId, first.sessionId];
    expect(sessions.map(({ id }) => id)).toEqual(ids);
    expect(result).toMatchObject({ case: "valid", value: { sessionId: first.sessionId } });
    expect(ended.endedSessions).toBe(1);
    expect([disabled?.state, enabled?.state]).toEqual([UserState.DISABLED, UserState.ACTIVE]);
    expect(refused).toMatchObject({ code: "Unauthenticated", reason: "LOGIN_FAILED" });
    await expect(logInAgain(newPassword)).resolves.toBeDefined();
  });

  test("the end of a second factor", async () => {
    const { backend } = site;
    const { email, password, userId } = await invited();
    const { accessToken } = await logIn(backend, email, password);
    const { secret } = await as(accessToken).enrollTotp({});
    const { session } = await as(accessToken).confirmTotp({ totpCode: codeAt(secret) });
    const own = as(session?.tokens?.accessToken);
    const identifier = { case: "email", value: email } as const;
    const { result } = await backend.auth.login({ identifier, password });
    const codes = (await own.regenerateRecoveryCodes({})).recoveryCodes;
    const challengeToken = result.case === "mfaChallenge" ? result.value.challengeToken : "";
    const code = { case: "recoveryCode", value: codes[0] ?? "" } as const;
    const recovered = await backend.auth.completeMfa({ challengeToken, code });
    const removed = await own.disableTotp({});
    const { user } = await backend.users.resetMfa({ userId });

    expect(result).toMatchObject({ value: { methods: [MfaMethod.TOTP, MfaMethod.RECOVERY_CODE] } });
    expect(recovered.recoveryCodesLeft).toBe(9);
    expect(removed.tokens?.refreshToken).toMatch(/^sgn_rt_/);
    expect(user).toMatchObject({ mfaEnabled: false, version: removed.version });
  });

  /** Invites somebody, who accepts. */
  async function invited() {
    const { auth, users } = site.backend;
    const [email, password] = [uniqueEmail(), unique("correct horse")];
    const { user, oneTimeToken } = await users.inviteUser({ email, delivery });
    const token = oneTimeToken?.token ?? "";
    const facts = await auth.checkOneTimeToken({ token });
    expect(facts).toMatchObject({ email, passwordRequired: true });
    const { userId } = await auth.acceptInvitation({ token, password });
    expect(userId).toBe(user?.id);
    return { email, password, userId };
  }

  function as(accessToken = "") {
    return clientsOf(transport, accessToken).auth;
  }
});
