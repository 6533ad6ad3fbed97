import { randomUUID } from "node:crypto";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grpcClients, logIn, refusal, unique, uniqueEmail } from "../support/builders.ts";
import { getJson } from "../support/json-call.ts";
import { openTenants, type Tenant, type Tenants } from "../support/tenants.ts";
import { until } from "../support/waiting.ts";

let opened: Tenants;
let shop: Tenant;
let blog: Tenant;

beforeAll(async () => {
  opened = await openTenants();
  ({ first: shop, second: blog } = opened);
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("a front end", () => {
  test("finds its Site by the host name without a key, and learns no setting", async () => {
    const rpc = "signet.v1.SiteService/GetSiteByDomain";

    const { status, json } = await getJson(opened.service.url, rpc, { domain: shop.domain });

    expect(status).toBe(200);
    expect(json.site).toMatchObject({
      id: shop.siteId,
      name: "shop",
      frontendUrl: shop.frontendUrl,
    });
    expect(JSON.stringify(json)).not.toMatch(/mailSender|redirectUrls|key|secret|deletion/i);
  });
});

describe("somebody", () => {
  test("registers, gets the Site's own mail, and goes on to the Site's front end", async () => {
    const { asBrowser, mailTo } = opened;
    const [email, password] = [uniqueEmail(), unique("four quiet otters")];

    await asBrowser(shop, "Register", { email, password });
    const { from, link, token } = await mailTo(email);
    const early = await asBrowser(shop, "Login", { email, password });
    const verified = await asBrowser(shop, "VerifyEmail", { token });
    const again = await asBrowser(shop, "VerifyEmail", { token });
    const session = await asBrowser(shop, "Login", { email, password });

    expect(from).toContain(`The shop`);
    expect(from).toContain(`<hello@${shop.domain}>`);
    expect(link).toContain(`/sites/${shop.siteId}/verify-email`);
    expect(early.body).toContain("EMAIL_UNVERIFIED");
    expect(verified.json.redirectUrl).toBe(shop.frontendUrl);
    expect(again.body).toContain("ONE_TIME_TOKEN_INVALID");
    expect(session.json).toHaveProperty("session");
  });

  test("goes on to an address that the Site has named, and to no other", async () => {
    const { asBrowser, mailTo } = opened;
    const [email, password] = [uniqueEmail(), unique("four quiet otters")];
    const redirectUrl = `https://${blog.domain}/welcome`;

    await asBrowser(blog, "Register", { email, password, redirectUrl });
    const { token } = await mailTo(email);
    const facts = await asBrowser(blog, "CheckOneTimeToken", { token });
    const verified = await asBrowser(blog, "VerifyEmail", { token });
    const elsewhere = await Promise.all(
      [`https://${shop.domain}/welcome`, `${redirectUrl}/x`, "https://evil.example"].map((url) =>
        asBrowser(blog, "Register", { email: uniqueEmail(), password, redirectUrl: url }),
      ),
    );

    expect([facts.json.redirectUrl, verified.json.redirectUrl]).toEqual([redirectUrl, redirectUrl]);
    expect(elsewhere.map(({ status }) => status)).toEqual([400, 400, 400]);
  });

  test("registers without a password, or is invited, and sets one by the link", async () => {
    const { asBrowser, mailTo, signet } = opened;
    const [bare, invited] = [uniqueEmail(), uniqueEmail()];
    const password = unique("four quiet otters");

    await asBrowser(shop, "Register", { email: bare });
    const { token } = await mailTo(bare);
    const facts = await asBrowser(shop, "CheckOneTimeToken", { token });
    await asBrowser(shop, "VerifyEmail", { token, password });
    await signet("user", "invite", "--email", invited, "--site", shop.siteId);
    const invitation = await mailTo(invited);
    await asBrowser(shop, "AcceptInvitation", { token: invitation.token, password });

    expect(facts.json.passwordRequired).toBe(true);
    expect(invitation.link).toContain(`/sites/${shop.siteId}/accept-invitation`);
    await logIn(shop.backend, bare, password);
    await logIn(shop.backend, invited, password);
  });

  test("resets a password by mail, and then changes it; other Sessions end", async () => {
    const { asBrowser, mailTo, service, signUp } = opened;
    const { email, password } = await signUp(shop);
    const first = await logIn(shop.backend, email, password);
    const [second, third] = [unique("seven brisk herons"), unique("nine slow geese")];

    await asBrowser(shop, "RequestPasswordReset", { email });
    const { token } = await mailTo(email, 1);
    await asBrowser(shop, "ResetPassword", { token, newPassword: second });
    const old = await asBrowser(shop, "Login", { email, password });
    const own = await logIn(shop.backend, email, second);
    const { auth } = grpcClients(service.url, own.accessToken);
    await auth.changePassword({ currentPassword: second, newPassword: third });

    const ended = await refusal(
      shop.backend.auth.refreshToken({ refreshToken: first.refreshToken }),
    );
    expect(old.status).toBe(401);
    expect(ended.reason).toBe("REFRESH_TOKEN_INVALID");
    await logIn(shop.backend, email, third);
  });

  test("changes the address once the new one is proved, and the old one is told", async () => {
    const { mailTo, mailbox, service, signUp } = opened;
    const { email, password } = await signUp(shop);
    const newEmail = uniqueEmail();
    const { accessToken } = await logIn(shop.backend, email, password);

    await grpcClients(service.url, accessToken).auth.requestEmailChange({ newEmail });
    const { token } = await mailTo(newEmail);
    const early = await refusal(logIn(shop.backend, newEmail, password));
    await shop.backend.auth.confirmEmailChange({ token });

    await until(() => mailbox.mails.find(({ to, link }) => to === email && link === ""));
    expect(early.reason).toBe("LOGIN_FAILED");
    expect((await refusal(logIn(shop.backend, email, password))).reason).toBe("LOGIN_FAILED");
    await logIn(shop.backend, newEmail, password);
  });

  test("is somebody else at each Site, under the same address", async () => {
    const { service, signUp } = opened;
    const [atShop, atBlog] = [await signUp(shop), await signUp(blog)];
    const twin = await signUp(blog, atShop.email);
    const { accessToken } = await logIn(shop.backend, atShop.email, atShop.password);

    const { result } = await blog.backend.auth.validateToken({ token: accessToken });
    const foreign = await refusal(shop.backend.users.getUser({ userId: atBlog.userId }));
    const missing = await refusal(shop.backend.users.getUser({ userId: randomUUID() }));
    const crossed = await refusal(logIn(blog.backend, atShop.email, atShop.password));

    expect(twin.userId).not.toBe(atShop.userId);
    expect(result.case).toBe("invalid");
    expect(foreign).toEqual(missing);
    expect(crossed.reason).toBe("LOGIN_FAILED");
    expect(service.stderr()).not.toContain(atShop.password);
  });
});

describe("a token", () => {
  test("ends when the Site says, and its Session by the logout", async () => {
    const { signet, signUp } = opened;
    const { email, password } = await signUp(blog);
    await signet("site", "update", blog.siteId, "--lifetime", "access-token=60");
    const tokens = await logIn(blog.backend, email, password);
    const { iat = 0, exp = 0 } = decodeJwt(tokens.accessToken);
    const validate = async () => {
      const { accessToken: token } = tokens;
      return (await blog.backend.auth.validateToken({ token })).result.case;
    };
    const before = await validate();

    await blog.backend.auth.logout({ refreshToken: tokens.refreshToken });

    expect(exp - iat).toBe(60);
    expect(before).toBe("valid");
    await until(async () => (await validate()) === "invalid");
  });
});
