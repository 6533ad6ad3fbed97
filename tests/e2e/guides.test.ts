import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { codeAt } from "../support/authenticator.ts";
import { createKey, openSite, uniqueEmail } from "../support/builders.ts";
import { type Guide, openGuide } from "../support/guide.ts";
import { callJson } from "../support/json-call.ts";
import { printedMails } from "../support/mailbox.ts";
import { type RunningProgram, startProgram } from "../support/programs.ts";
import { freePort } from "../support/service.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

/** As the guides have them. */
const ADA = { email: "ada@example.com", password: "four quiet otters swim" };
const NEW_PASSWORD = "seven brisk herons wade";

let opened: SiteOnService;

beforeAll(async () => {
  opened = await openSiteOnService();
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("the lines of the guides", () => {
  let key: string;
  let open: (name: string) => Guide;

  beforeEach(async () => {
    key = await openShop();
    open = (name) => openGuide(name, { SIGNET_URL: opened.service.url, SIGNET_KEY: key });
  });

  test("of login.md work in their order", async () => {
    const guide = open("login");
    const { accessToken, refreshToken } = await throughLogin(guide);

    const valid = await guide.runNext({ "access token": accessToken });
    const refreshed = await guide.runNext({ "refresh token": refreshToken });
    const loggedOut = await guide.runNext({ "refresh token": refreshToken });

    const next = { tokens: { refreshToken: expect.stringMatching(/^sgn_rt_/) } };
    expect(valid).toMatchObject({ valid: { roles: ["user"] } });
    expect(refreshed).toMatchObject(next);
    expect(loggedOut).toMatchObject({ userId: expect.stringMatching(/-/) });
    expect(guide.left()).toBe(0);
  });

  test("of password-reset.md work in their order", async () => {
    await throughLogin(open("login"));
    const guide = open("password-reset");
    const before = tokensMailedTo(ADA.email).length;

    await guide.runNext();
    const token = await until(() => tokensMailedTo(ADA.email)[before]);
    const checked = await guide.runNext({ "token of the mail": token });
    const reset = await guide.runNext({ "token of the mail": token });

    const purpose = "ONE_TIME_PURPOSE_RESET_PASSWORD";
    expect(checked).toMatchObject({ purpose, passwordRequired: true });
    expect(reset).toMatchObject({ redirectUrl: expect.stringMatching(/^https:/) });
    expect(guide.left()).toBe(0);
  });

  test("of second-factor.md work in their order", async () => {
    const { accessToken } = await throughLogin(open("login"));
    const guide = open("second-factor");

    const { secret = "" } = (await guide.runNext({ "access token": accessToken })) as Answer;
    const values = { "access token": accessToken, code: codeAt(secret) };
    const { recoveryCodes = [] } = (await guide.runNext(values)) as Answer;
    const { mfaChallenge } = (await guide.runNext()) as Answer;
    const signedIn = await guide.runNext({
      "challenge token": mfaChallenge?.challengeToken ?? "",
      code: codeAt(secret, 1),
    });
    const again = (await callJson(opened.service.url, LOGIN, ADA, key)).json as Answer;
    const recovered = await guide.runNext({
      "challenge token": again.mfaChallenge?.challengeToken ?? "",
      "recovery code": recoveryCodes[0] ?? "",
    });

    expect(signedIn).toMatchObject({ session: { session: { amr: ["pwd", "otp", "mfa"] } } });
    expect(recovered).toMatchObject({ recoveryCodesLeft: 9 });
    expect(guide.left()).toBe(0);
  });

  test("of sites-and-keys.md work in their order", async () => {
    const { url, operatorKey } = opened.service;
    const guide = openGuide("sites-and-keys", { SIGNET_URL: url, SIGNET_KEY: operatorKey });

    const { site } = (await guide.runNext()) as { site?: { id: string } };
    const values = { "site id": site?.id ?? "" };
    const updated = await guide.runNext(values);
    const found = await guide.runNext();
    const listed = await guide.runNext();
    const first = (await guide.runNext(values)) as { apiKey?: { id: string } };
    await guide.runNext(values);
    const keys = await guide.runNext(values);
    const revoked = await guide.runNext({ ...values, "first key id": first.apiKey?.id ?? "" });
    const ofOperator = await guide.runNext();
    const deleted = await guide.runNext(values);

    expect(updated).toMatchObject({
      site: { version: "2", lifetimes: { accessTokenSeconds: 300 } },
    });
    expect(found).toMatchObject({ site: { id: site?.id, name: "Shop" } });
    expect(listed).toMatchObject({ sites: [{ id: site?.id }] });
    const label = "shop backend 1";
    expect(keys).toMatchObject({ apiKeys: [{ label: "shop backend 2" }, { label }] });
    expect(revoked).toMatchObject({ apiKey: { label, revokeTime: expect.any(String) } });
    expect(ofOperator).toMatchObject({ secret: expect.stringMatching(/^sgn_op_/) });
    expect(deleted).not.toHaveProperty("code");
    expect(guide.left()).toBe(0);
  });

  test("show the reason of a refusal where login.md says", async () => {
    const { json } = await callJson(opened.service.url, LOGIN, ADA, key);

    expect(json).toMatchObject({ details: [{ debug: { reason: "ERROR_REASON_LOGIN_FAILED" } }] });
  });
});

describe("examples/backend.ts", () => {
  let app: RunningProgram;
  let post: (page: string, form: object) => Promise<Answer>;

  beforeAll(async () => {
    const port = await freePort();
    app = startProgram(process.execPath, ["examples/backend.ts"], {
      SIGNET_URL: opened.service.url,
      SIGNET_KEY: await openShop(),
      PORT: `${port}`,
    });
    await app.output.waitFor(/the app is ready/, "the app");
    post = async (page, form) => (await callJson(`http://127.0.0.1:${port}`, page, form)).json;
  });

  afterAll(() => app.stop());

  test("takes somebody through the life of an account", async () => {
    const person = { email: uniqueEmail(), password: ADA.password };
    await post("register", person);
    expect(await post("sign-in", person)).toMatchObject({ error: "read your mail first" });
    const token = await until(() => tokensMailedTo(person.email)[0]);
    expect(await post("verify-email", { token })).toMatchObject({ next: "sign in" });

    const { accessToken, refreshToken, deviceToken } = await post("sign-in", person);
    const known = await post("who-is", { accessToken });
    const refreshed = await post("refresh", { refreshToken, deviceToken });
    await post("sign-out", { refreshToken: refreshed.refreshToken });
    const late = await post("refresh", { refreshToken: refreshed.refreshToken });

    expect(known).toMatchObject({ roles: ["user"] });
    expect(late).toMatchObject({ error: "sign in again" });
    const gone = await until(async () => {
      const answer = await post("who-is", { accessToken });
      return answer.error && answer;
    });
    expect(gone).toEqual({ error: "revoked" });
  });

  test("resets a password", async () => {
    const person = await signUpAtApp();
    await post("forgot-password", { email: person.email });
    const token = await until(() => tokensMailedTo(person.email)[1]);
    const reset = { token, newPassword: NEW_PASSWORD };

    const rejected = await post("reset-password", { token, newPassword: "short" });
    await post("reset-password", reset);
    const again = await post("reset-password", reset);
    const signedIn = await post("sign-in", { email: person.email, password: NEW_PASSWORD });

    expect(rejected).toMatchObject({ error: "choose another password" });
    expect(again).toMatchObject({ error: "this link is no longer good" });
    expect(signedIn).toMatchObject({ next: "welcome" });
  });

  test("enrols an authenticator, and signs in with it and with a recovery code", async () => {
    const person = await signUpAtApp();
    const { accessToken } = await post("sign-in", person);
    const { secret = "" } = await post("enrol", { accessToken });
    const enrolled = await post("confirm-enrolment", { accessToken, totpCode: codeAt(secret) });

    const { challengeToken } = await post("sign-in", person);
    const totpCode = codeAt(secret, 1);
    const entered = await post("enter-code", { challengeToken, totpCode });
    const other = await post("sign-in", person);
    const recoveryCode = enrolled.recoveryCodes?.[0];
    const recovered = await post("recover", { ...other, recoveryCode });
    const proof = { accessToken: entered.accessToken, password: person.password, totpCode };

    expect(entered).toMatchObject({ next: "welcome" });
    expect(recovered).toMatchObject({ next: "welcome", recoveryCodesLeft: 9 });
    expect(await post("prove-again", proof)).toMatchObject({
      error: "wrong address, password or code",
    });
  });

  async function signUpAtApp() {
    const person = { email: uniqueEmail(), password: ADA.password };
    await post("register", person);
    await post("verify-email", { token: await until(() => tokensMailedTo(person.email)[0]) });
    return person;
  }
});

const LOGIN = "signet.v1.AuthService/Login";

/** What these tests read of answers, whose names differ. */
interface Answer {
  readonly accessToken?: string;
  readonly refreshToken?: string;
  readonly deviceToken?: string;
  readonly challengeToken?: string;
  readonly secret?: string;
  readonly recoveryCodes?: readonly string[];
  readonly mfaChallenge?: { readonly challengeToken: string };
  readonly session?: {
    readonly tokens: { readonly [name in "accessToken" | "refreshToken"]: string };
  };
  readonly error?: string;
}

/** Opens a Site, and returns a key that may do what the guides need. */
async function openShop(): Promise<string> {
  const { operator, service } = opened;
  const transport = createGrpcTransport({ baseUrl: service.url });
  const { siteId } = await openSite(transport, service.operatorKey);
  return await createKey(operator, siteId, { scopes: [Scope.AUTH] });
}

/** Goes through login.md as far as Ada's first Session. */
async function throughLogin(guide: Guide) {
  const before = tokensMailedTo(ADA.email).length;
  await guide.runNext();
  const token = await until(() => tokensMailedTo(ADA.email)[before]);
  await guide.runNext({ "token of the mail": token });
  const { session } = (await guide.runNext()) as Answer;
  if (!session) throw new Error("no Session has started");
  return session.tokens;
}

/** Mails without a token, such as notices, are left out. */
function tokensMailedTo(email: string): string[] {
  return printedMails(opened.service)
    .filter(({ to, token }) => to === email && token !== "")
    .map(({ token }) => token);
}
