import { createGrpcTransport } from "@connectrpc/connect-node";
import { generateSync } from "otplib";
import { afterAll, describe, expect, test } from "vitest";
import { Delivery } from "../../gen/signet/v1/auth_service_pb.ts";
import { MfaPolicy } from "../../gen/signet/v1/site_pb.ts";
import { hashRecoveryCode } from "../../src/crypto/recovery-code.ts";
import { parseId, type SiteId, type UserId } from "../../src/model/id.ts";
import {
  type Clients,
  grpcClients,
  logIn,
  openSite,
  refusal,
  type SignedIn,
  signUp,
} from "../support/builders.ts";
import { runAsAdmin } from "../support/database.ts";
import { openSiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { database, service, site } = opened;
const { backend } = site;

interface Enrolled extends SignedIn {
  readonly secret: string;
  readonly recoveryCodes: readonly string[];
}

describe("a second factor", () => {
  test("is asked for at login once it is enrolled, and each code works once", async () => {
    const person = await enrolled();
    const first = await challenge(person);
    const second = await challenge(person);
    const totpCode = codeAt(person.secret, 1);

    const { session } = await answer(first, totpCode);
    const again = await refusal(answer(second, totpCode));

    expect(session?.session?.amr).toEqual(["pwd", "otp", "mfa"]);
    expect(session?.user?.mfaEnabled).toBe(true);
    expect(again).toMatchObject({ code: "Unauthenticated", reason: "LOGIN_FAILED" });
  });

  test("of many right answers at the same time accepts one", async () => {
    const person = await enrolled();
    const challenges = await Promise.all([1, 2, 3, 4].map(() => challenge(person)));
    const totpCode = codeAt(person.secret, 1);

    const answers = await Promise.allSettled(challenges.map((each) => answer(each, totpCode)));

    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("takes a recovery code once, in any case and with or without hyphens", async () => {
    const person = await enrolled();
    const [code = ""] = person.recoveryCodes;
    const typed = code.toUpperCase().replaceAll("-", "");

    const { recoveryCodesLeft, session } = await recover(person, typed);
    const again = await refusal(recover(person, code));

    expect(recoveryCodesLeft).toBe(9);
    expect(session?.session?.amr).toEqual(["pwd", "mfa"]);
    expect(again).toMatchObject({ reason: "LOGIN_FAILED" });
  });

  test("takes a recovery code of an earlier version, which is shorter", async () => {
    const person = await enrolled();
    const [siteId, userId] = [parseId<SiteId>(site.siteId, ""), parseId<UserId>(person.userId, "")];
    const value = "abcd-efgh-jkmn-pqrs";
    const hash = hashRecoveryCode(siteId, userId, value).toString("hex");
    await runAsAdmin(
      database.adminUrl,
      `insert into signet.recovery_codes (site_id, user_id, code_hash) values
         ('${siteId}', '${userId}', '\\x${hash}')`,
    );

    const { recoveryCodesLeft } = await recover(person, value);

    expect(recoveryCodesLeft).toBe(10);
  });

  test("leaves the challenge good after a wrong code, and void after a right one", async () => {
    const person = await enrolled();
    const challengeToken = await challenge(person);

    const wrong = await refusal(answer(challengeToken, wrongCode(person.secret)));
    await answer(challengeToken, codeAt(person.secret, 1));
    const used = await refusal(answer(challengeToken, codeAt(person.secret, 1)));

    expect(wrong).toMatchObject({ reason: "LOGIN_FAILED" });
    expect(used).toMatchObject({ reason: "ONE_TIME_TOKEN_INVALID" });
  });

  test("guessed at too often is checked no more, though the code be right", async () => {
    const person = await enrolled();
    const challengeToken = await challenge(person);
    for (let n = 0; n < 20; n += 1) {
      await refusal(answer(challengeToken, wrongCode(person.secret)));
    }

    const late = await refusal(answer(challengeToken, codeAt(person.secret, 1)));

    expect(late).toMatchObject({ reason: "LOGIN_FAILED" });
  });

  test("ends the other Sessions when it is enrolled, and the caller's goes on", async () => {
    const person = await signUp(backend);
    const other = await logIn(backend, person.email, person.password);

    const { started } = await enrol(grpcClients(service.url, person.accessToken));

    const { refreshToken = "" } = started?.tokens ?? {};
    const next = await backend.auth.refreshToken({ refreshToken });
    expect(next.sessionId).toBe(person.sessionId);
    expect(await refusal(backend.auth.refreshToken(other))).toMatchObject({
      reason: "REFRESH_TOKEN_INVALID",
    });
    await until(async () => {
      const { result } = await backend.auth.validateToken({ token: person.accessToken });
      return result.case === "invalid";
    });
  });

  test("is stored sealed, and its recovery codes hashed", async () => {
    const { secret, recoveryCodes, userId } = await enrolled();

    const rows = await runAsAdmin<{ row: string }>(
      database.adminUrl,
      `select f::text || r::text || encode(f.secret_sealed, 'escape') as row
         from signet.totp_factors f join signet.recovery_codes r using (user_id)
        where user_id = '${userId}'`,
    );

    expect(rows).toHaveLength(10);
    for (const { row } of rows) {
      expect(row).not.toContain(secret);
      for (const code of recoveryCodes) expect(row).not.toContain(code);
    }
  });

  test("cannot be enrolled twice, and can be removed by its User", async () => {
    const person = await enrolled();
    const own = grpcClients(service.url, person.accessToken);

    const twice = await refusal(own.auth.enrollTotp({}));
    const { tokens } = await own.auth.disableTotp({});

    expect(twice).toMatchObject({ reason: "MFA_ALREADY_ENROLLED" });
    expect(tokens?.refreshToken).toMatch(/^sgn_rt_/);
    await expect(logIn(backend, person.email, person.password)).resolves.toBeDefined();
  });

  test("is reset by an administrator for somebody who lost it", async () => {
    const person = await enrolled();

    const { user } = await backend.users.resetMfa({ userId: person.userId });

    expect(user?.mfaEnabled).toBe(false);
    await expect(logIn(backend, person.email, person.password)).resolves.toBeDefined();
  });

  test("has its recovery codes replaced all at once", async () => {
    const person = await enrolled();
    const own = grpcClients(service.url, person.accessToken);
    const { recoveryCodes } = await own.auth.regenerateRecoveryCodes({});
    const use = (value = "") => recover(person, value);

    expect(new Set(recoveryCodes).size).toBe(10);
    expect(await refusal(use(person.recoveryCodes[0]))).toMatchObject({ reason: "LOGIN_FAILED" });
    await expect(use(recoveryCodes[0])).resolves.toBeDefined();
  });
});

describe("a Site that requires a second factor", () => {
  test("has it enrolled during login", async () => {
    const strict = await openStrictSite();
    const { email, password } = await strict.signUpBefore();
    const identifier = { case: "email", value: email } as const;
    const { result } = await strict.backend.auth.login({ identifier, password });
    const enrollmentToken = result.case === "mfaEnrollment" ? result.value.enrollmentToken : "";

    const { secret } = await strict.backend.auth.enrollTotp({ enrollmentToken });
    const wrong = await refusal(
      strict.backend.auth.confirmTotp({ enrollmentToken, totpCode: wrongCode(secret) }),
    );
    const { session, recoveryCodes } = await strict.backend.auth.confirmTotp({
      enrollmentToken,
      totpCode: codeAt(secret),
    });
    const used = await refusal(strict.backend.auth.enrollTotp({ enrollmentToken }));

    expect(wrong).toMatchObject({ reason: "LOGIN_FAILED" });
    expect(recoveryCodes).toHaveLength(10);
    expect(session?.session?.amr).toEqual(["pwd", "otp", "mfa"]);
    expect(used).toMatchObject({ reason: "ONE_TIME_TOKEN_INVALID" });
    const own = grpcClients(service.url, session?.tokens?.accessToken ?? "");
    expect(await refusal(own.auth.disableTotp({}))).toMatchObject({ reason: "MFA_POLICY" });
  });
});

describe("a proof of identity", () => {
  test("opens for a while what takes a recent login", async () => {
    const person = await signUp(backend);
    const own = grpcClients(service.url, person.accessToken);
    await runAsAdmin(
      database.adminUrl,
      `update signet.sessions set auth_time = auth_time - interval '1 day'
        where id = '${person.sessionId}'`,
    );

    const before = await refusal(own.auth.enrollTotp({}));
    const wrong = await refusal(own.auth.reauthenticate({ password: "wrong" }));
    const { accessToken } = await own.auth.reauthenticate({ password: person.password });

    expect(before).toMatchObject({ reason: "RECENT_LOGIN_REQUIRED" });
    expect(wrong).toMatchObject({ reason: "LOGIN_FAILED" });
    await expect(own.auth.enrollTotp({})).resolves.toBeDefined();
    const { result } = await backend.auth.validateToken({ token: accessToken });
    expect(result).toMatchObject({ case: "valid", value: { sessionId: person.sessionId } });
  });

  test("takes the code too where there is a second factor", async () => {
    const person = await enrolled();
    const own = grpcClients(service.url, person.accessToken);
    const { password } = person;
    const code = { case: "totpCode", value: codeAt(person.secret, 1) } as const;

    expect(await refusal(own.auth.reauthenticate({ password }))).toMatchObject({
      reason: "LOGIN_FAILED",
    });
    await expect(own.auth.reauthenticate({ password, code })).resolves.toBeDefined();
  });
});

/** The step at which the factor was enrolled is used; one later is still within the tolerance. */
function codeAt(secret: string, stepsAhead = 0): string {
  return generateSync({ secret, epoch: Math.floor(Date.now() / 1_000) + 30 * stepsAhead });
}

function wrongCode(secret: string): string {
  const right = [-2, -1, 0, 1, 2].map((steps) => codeAt(secret, steps));
  return ["000000", "111111", "222222", "333333", "444444", "555555"].find(
    (code) => !right.includes(code),
  ) as string;
}

async function enrol(own: Clients) {
  const { secret, otpauthUri } = await own.auth.enrollTotp({});
  expect(otpauthUri).toContain(`secret=${secret}`);
  const answer = await own.auth.confirmTotp({ totpCode: codeAt(secret) });
  return { secret, recoveryCodes: answer.recoveryCodes, started: answer.session };
}

async function enrolled(): Promise<Enrolled> {
  const person = await signUp(backend);
  const { secret, recoveryCodes, started } = await enrol(
    grpcClients(service.url, person.accessToken),
  );
  const { accessToken = "", refreshToken = "" } = started?.tokens ?? {};
  return { ...person, accessToken, refreshToken, secret, recoveryCodes };
}

async function challenge({ email, password }: SignedIn): Promise<string> {
  const identifier = { case: "email", value: email } as const;
  const { result } = await backend.auth.login({ identifier, password });
  return result.case === "mfaChallenge" ? result.value.challengeToken : "";
}

function answer(challengeToken: string, totpCode: string) {
  return backend.auth.completeMfa({
    challengeToken,
    code: { case: "totpCode", value: totpCode },
  });
}

async function recover(person: SignedIn, value: string) {
  const challengeToken = await challenge(person);
  return backend.auth.completeMfa({ challengeToken, code: { case: "recoveryCode", value } });
}

/** Its people have accounts from before, since registering alone signs nobody in. */
async function openStrictSite() {
  const transport = createGrpcTransport({ baseUrl: service.url });
  const settings = { mfaPolicy: MfaPolicy.REQUIRED };
  const strict = await openSite(transport, service.operatorKey, settings);
  const signUpBefore = async () => {
    const email = `${crypto.randomUUID()}@example.com`;
    const password = "correct horse battery staple";
    const delivery = Delivery.RETURN_TOKEN;
    const { oneTimeToken } = await strict.backend.auth.register({ email, password, delivery });
    await strict.backend.auth.verifyEmail({ token: oneTimeToken?.token ?? "" });
    return { email, password };
  };
  return { ...strict, signUpBefore };
}
