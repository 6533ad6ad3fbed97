import { randomUUID } from "node:crypto";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, test } from "vitest";
import { Delivery, type OneTimeToken } from "../../gen/signet/v1/auth_service_pb.ts";
import { MfaPolicy } from "../../gen/signet/v1/site_pb.ts";
import { challengeOf, codeAt, signUpWithFactor } from "../support/authenticator.ts";
import {
  type Clients,
  grpcClients,
  logIn,
  openSite,
  refusal,
  signUp,
  unique,
  uniqueEmail,
} from "../support/builders.ts";
import { openSiteOnService } from "../support/site-on-service.ts";

const { RETURN_TOKEN: delivery } = Delivery;
const NEW_PASSWORD = unique("new horse");
const UNUSED_CODE = { case: "recoveryCode", value: "0000-0000-0000-0000" } as const;

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service, site: home } = opened;
const transport = createGrpcTransport({ baseUrl: service.url });
const foreign = await openSite(transport, service.operatorKey);
const stranger = await signUp(foreign.backend);

type Call = readonly [string, (as: Clients, value: string) => Promise<unknown>];

describe("a User of another Site", () => {
  const calls: readonly Call[] = [
    ["DisableUser", ({ users }, userId) => users.disableUser({ userId })],
    ["EnableUser", ({ users }, userId) => users.enableUser({ userId })],
    ["UnlockUser", ({ users }, userId) => users.unlockUser({ userId })],
    ["ResetMfa", ({ users }, userId) => users.resetMfa({ userId })],
    ["ListSessions", ({ auth }, userId) => auth.listSessions({ userId })],
    ["RevokeAllSessions", ({ auth }, userId) => auth.revokeAllSessions({ userId })],
    [
      "RequestEmailChange",
      ({ auth }, userId) => auth.requestEmailChange({ userId, newEmail: uniqueEmail() }),
    ],
  ];

  test.each(calls)("looks to %s as if there were none", async (_name, call) => {
    const refused = await refusal(call(home.backend, stranger.userId));

    expect(refused).toMatchObject({ code: "NotFound", reason: "USER_NOT_FOUND" });
    expect(refused).toEqual(await refusal(call(home.backend, randomUUID())));
  });

  test.each(calls)("is beyond an admin who calls %s", async (_name, call) => {
    const admin = await signUp(home.backend);
    await home.backend.users.updateUser({ userId: admin.userId, roles: { roles: ["admin"] } });
    const { accessToken } = await logIn(home.backend, admin.email, admin.password);
    const as = grpcClients(service.url, accessToken);

    const refused = await refusal(call(as, stranger.userId));

    expect(refused).toEqual(await refusal(call(as, randomUUID())));
  });

  test("has a Session that looks to RevokeSession as if there were none", async () => {
    const revoke = (sessionId: string) => refusal(home.backend.auth.revokeSession({ sessionId }));

    const refused = await revoke(stranger.sessionId);

    expect(refused).toMatchObject({ code: "NotFound", reason: "SESSION_NOT_FOUND" });
    expect(refused).toEqual(await revoke(randomUUID()));
    const { sessions } = await foreign.backend.auth.listSessions({ userId: stranger.userId });
    expect(sessions.map(({ id }) => id)).toContain(stranger.sessionId);
  });

  test("gets no link by the calls that send one, and has an address that is free", async () => {
    const identifier = { case: "email", value: stranger.email } as const;
    const { auth, users } = home.backend;

    const reset = await auth.requestPasswordReset({ identifier, delivery });
    const resent = await auth.resendVerification({ email: stranger.email, delivery });
    const { user } = await users.inviteUser({ email: stranger.email, delivery });

    expect(reset.oneTimeToken).toBeUndefined();
    expect(resent.oneTimeToken).toBeUndefined();
    expect(user).toMatchObject({ siteId: home.siteId, email: stranger.email });
    expect(user?.id).not.toBe(stranger.userId);
  });
});

describe("a token of a mail of another Site", () => {
  const tokens: readonly (readonly [string, () => Promise<string>, Call[1]])[] = [
    [
      "VerifyEmail",
      async () => tokenOf(await foreign.backend.auth.register({ email: uniqueEmail(), delivery })),
      ({ auth }, token) => auth.verifyEmail({ token, password: NEW_PASSWORD }),
    ],
    [
      "AcceptInvitation",
      async () =>
        tokenOf(await foreign.backend.users.inviteUser({ email: uniqueEmail(), delivery })),
      ({ auth }, token) => auth.acceptInvitation({ token, password: NEW_PASSWORD }),
    ],
    [
      "ResetPassword",
      async () => {
        const identifier = { case: "email", value: stranger.email } as const;
        const { auth } = foreign.backend;
        return tokenOf(await auth.requestPasswordReset({ identifier, delivery }));
      },
      ({ auth }, token) => auth.resetPassword({ token, newPassword: NEW_PASSWORD }),
    ],
    [
      "ConfirmEmailChange",
      async () => {
        const { userId } = await signUp(foreign.backend);
        const change = { userId, newEmail: uniqueEmail(), delivery };
        return tokenOf(await foreign.backend.auth.requestEmailChange(change));
      },
      ({ auth }, token) => auth.confirmEmailChange({ token }),
    ],
  ];

  test.each(tokens)("is unknown to %s here, and stays good there", async (_name, make, use) => {
    const token = await make();

    const refused = await refusal(use(home.backend, token));
    const checked = await refusal(home.backend.auth.checkOneTimeToken({ token }));

    expect(refused).toMatchObject({ reason: "ONE_TIME_TOKEN_INVALID" });
    expect(refused).toEqual(await refusal(use(home.backend, "sgn_ot_unknown")));
    expect(checked).toEqual(refused);
    await expect(use(foreign.backend, token)).resolves.toBeDefined();
  });
});

describe("a login that is under way at another Site", () => {
  test("has a challenge that is unknown here, and stays good there", async () => {
    const asUser = (token: string) => grpcClients(service.url, token);
    const person = await signUpWithFactor(foreign.backend, asUser);
    const challengeToken = await challengeOf(foreign.backend, person);
    const code = { case: "totpCode", value: codeAt(person.secret, 1) } as const;
    const answer = ({ auth }: Clients, token: string) =>
      auth.completeMfa({ challengeToken: token, code });

    const refused = await refusal(answer(home.backend, challengeToken));

    expect(refused).toMatchObject({ reason: "ONE_TIME_TOKEN_INVALID" });
    expect(refused).toEqual(await refusal(answer(home.backend, "sgn_ch_unknown")));
    await expect(answer(foreign.backend, challengeToken)).resolves.toBeDefined();
  });

  test("has an enrolment that is unknown here, and stays good there", async () => {
    const settings = { mfaPolicy: MfaPolicy.REQUIRED };
    const strict = await openSite(transport, service.operatorKey, settings);
    const { auth } = strict.backend;
    const [email, password] = [uniqueEmail(), unique("correct horse")];
    const token = tokenOf(await auth.register({ email, password, delivery }));
    await auth.verifyEmail({ token });
    const identifier = { case: "email", value: email } as const;
    const { result } = await auth.login({ identifier, password });
    const enrollmentToken = result.case === "mfaEnrollment" ? result.value.enrollmentToken : "";

    const refused = await refusal(home.backend.auth.enrollTotp({ enrollmentToken }));

    expect(refused).toMatchObject({ reason: "ONE_TIME_TOKEN_INVALID" });
    await expect(auth.enrollTotp({ enrollmentToken })).resolves.toBeDefined();
  });
});

describe("the name of another Site in a request", () => {
  const token = "sgn_ot_unknown";
  const identifier = { case: "email", value: stranger.email } as const;
  const { userId, sessionId } = stranger;
  const calls: readonly Call[] = [
    [
      "AcceptInvitation",
      ({ auth }, siteId) => auth.acceptInvitation({ siteId, token, password: NEW_PASSWORD }),
    ],
    [
      "ResendVerification",
      ({ auth }, siteId) => auth.resendVerification({ siteId, email: stranger.email }),
    ],
    ["CheckOneTimeToken", ({ auth }, siteId) => auth.checkOneTimeToken({ siteId, token })],
    [
      "CompleteMfa",
      ({ auth }, siteId) => auth.completeMfa({ siteId, challengeToken: token, code: UNUSED_CODE }),
    ],
    ["ListSessions", ({ auth }, siteId) => auth.listSessions({ siteId, userId })],
    ["RevokeSession", ({ auth }, siteId) => auth.revokeSession({ siteId, sessionId })],
    ["RevokeAllSessions", ({ auth }, siteId) => auth.revokeAllSessions({ siteId, userId })],
    [
      "RequestPasswordReset",
      ({ auth }, siteId) => auth.requestPasswordReset({ siteId, identifier }),
    ],
    [
      "ResetPassword",
      ({ auth }, siteId) => auth.resetPassword({ siteId, token, newPassword: NEW_PASSWORD }),
    ],
    ["ConfirmEmailChange", ({ auth }, siteId) => auth.confirmEmailChange({ siteId, token })],
    ["EnrollTotp", ({ auth }, siteId) => auth.enrollTotp({ siteId, enrollmentToken: token })],
    [
      "ConfirmTotp",
      ({ auth }, siteId) =>
        auth.confirmTotp({ siteId, enrollmentToken: token, totpCode: "123456" }),
    ],
    ["InviteUser", ({ users }, siteId) => users.inviteUser({ siteId, email: uniqueEmail() })],
    ["DisableUser", ({ users }, siteId) => users.disableUser({ siteId, userId })],
    ["EnableUser", ({ users }, siteId) => users.enableUser({ siteId, userId })],
    ["UnlockUser", ({ users }, siteId) => users.unlockUser({ siteId, userId })],
    ["ResetMfa", ({ users }, siteId) => users.resetMfa({ siteId, userId })],
    ["ListAuditEvents", ({ users }, siteId) => users.listAuditEvents({ siteId })],
    ["RotateSigningKey", ({ sites }, siteId) => sites.rotateSigningKey({ siteId })],
  ];

  test.each(calls)("is to %s as the name of none", async (_name, call) => {
    const refused = await refusal(call(home.backend, foreign.siteId));

    expect(refused).toMatchObject({ code: "NotFound", reason: "SITE_NOT_FOUND" });
    expect(refused).toEqual(await refusal(call(home.backend, randomUUID())));
  });
});

function tokenOf(answer: { readonly oneTimeToken?: OneTimeToken | undefined }): string {
  return answer.oneTimeToken?.token ?? "";
}
