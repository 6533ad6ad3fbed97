import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusal } from "../support/builders.ts";
import { blocksOf } from "../support/guide-blocks.ts";
import {
  bringVerified,
  type HostedSite,
  isVerified,
  newPerson,
  openHostedSite,
  openPage,
  sendForm,
  tokenOf,
} from "../support/hosted-site.ts";
import { mailTo } from "../support/mailbox.ts";
import { runProgram } from "../support/programs.ts";
import { pathWithSignet } from "../support/signet-command.ts";
import { until } from "../support/waiting.ts";

const PASSWORD = "four blue lamps hum";

let site: HostedSite;

beforeAll(async () => {
  site = await openHostedSite({ SIGNET_TRUSTED_PROXIES: "127.0.0.1" });
});

afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

describe("a person is led on", () => {
  test("at once to where the mail's cause has asked for, from the Site's list alone", async () => {
    const { siteId, welcomeUrl } = site;
    const elsewhere = "https://elsewhere.example.com/";
    const asked = site.links.verify(newPerson("en", PASSWORD), elsewhere);
    expect((await refusal(asked)).metadata).toMatchObject({ field: "redirect_url" });
    const links = await Promise.all(
      [1, 2].map(() => site.links.verify(newPerson("en", PASSWORD), welcomeUrl)),
    );
    const [first = "", second = ""] = links;

    const led = await sendForm(first, { token: tokenOf(first), redirect_url: elsewhere });
    await site.operator.sites.updateSite({ siteId, redirectUrls: {} });
    const kept = await sendForm(second, { token: tokenOf(second), redirect_url: elsewhere });
    const redirectUrls = { redirectUrls: [welcomeUrl] };
    await site.operator.sites.updateSite({ siteId, redirectUrls });

    expect(led.page).toContain(`<meta http-equiv="refresh" content="0; url=${welcomeUrl}">`);
    expect(kept.page).not.toContain('http-equiv="refresh"');
    expect(kept.page).toContain(`href="${site.frontendUrl}"`);
    expect(led.page + kept.page).not.toContain("elsewhere");
  });
});

describe("who asks for a new link", () => {
  test("is told the same for every address, and a mail goes to one that is known", async () => {
    const { email } = await bringVerified(site, PASSWORD);
    const stranger = newPerson().email;
    const page = `${site.service.url}/sites/${site.siteId}/reset-password`;
    const known = site.mails.length;
    const form = await openPage(page);

    const [hit, miss] = await Promise.all([
      sendForm(page, { email }),
      sendForm(page, { email: stranger }),
    ]);
    await mailTo(() => site.mails.slice(known), email);

    expect([form.status, hit?.status, miss?.status]).toEqual([200, 200, 200]);
    const told = (answer: typeof hit, address: string) =>
      (answer?.page ?? "").replaceAll(address, "ADDRESS");
    expect(told(hit, email)).toBe(told(miss, stranger));
    expect(site.mails.slice(known).map(({ to }) => to)).toEqual([email]);
  });

  test.each([
    [{ "sec-fetch-site": "cross-site" }, 403],
    [{ "sec-fetch-site": "same-site", origin: "https://shop.example.com" }, 403],
    [{ origin: "null" }, 403],
    [{ "sec-fetch-site": "same-origin", origin: "null" }, 200],
  ])("does so on the page itself: %j", async (headers, status) => {
    const page = `${site.service.url}/sites/${site.siteId}/verify-email`;

    expect((await sendForm(page, { email: newPerson().email }, headers)).status).toBe(status);
  });

  test("is limited by the own address", async () => {
    const page = `${site.service.url}/sites/${site.siteId}/reset-password`;
    const from = { "x-forwarded-for": "198.51.100.7" };
    let last = await sendForm(page, { email: newPerson().email }, from);
    for (let n = 0; last.status === 200 && n < 200; n += 1) {
      last = await sendForm(page, { email: "nobody@example.com" }, from);
    }

    const other = await sendForm(
      page,
      { email: newPerson().email },
      { "x-forwarded-for": "192.0.2.9" },
    );

    expect(last.status).toBe(429);
    expect(Number(last.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(other.status).toBe(200);
  });
});

test("links lead to a Site's own page where it has one, and then nobody asks here", async () => {
  const verifyEmailUrl = "https://own.example.com/verify?from=mail";
  const own = await site.open({ name: "Own", linkPages: { verifyEmailUrl } });
  const { email } = newPerson();
  await own.backend.auth.register({ email, password: PASSWORD });
  const { link, token } = await mailTo(() => site.mails, email);
  const page = `${site.service.url}/sites/${own.siteId}/verify-email`;

  const asked = await sendForm(page, { email });
  const formless = await openPage(page);

  expect(link).toBe(`${verifyEmailUrl}&token=${token}`);
  expect([asked.status, formless.status]).toEqual([404, 404]);
  expect(await isVerified(own, email)).toBe(false);
});

test("the log has the calls of pages by their visitors' addresses, and no token", async () => {
  const link = await site.links.verify(newPerson("en", PASSWORD));
  const from = { "x-forwarded-for": "203.0.113.5" };
  await openPage(link, from);
  await sendForm(link, { token: tokenOf(link) }, from);

  const own = await until(() => {
    const lines = site.service.stderr().split("\n");
    const found = lines.filter((line) => line.includes("203.0.113.5") && line.endsWith("}"));
    return found.length >= 3 ? found : undefined;
  });

  expect(own.map((line) => JSON.parse(line).rpc)).toEqual([
    "signet.v1.AuthService/CheckOneTimeToken",
    "signet.v1.AuthService/CheckOneTimeToken",
    "signet.v1.AuthService/VerifyEmail",
  ]);
  expect(site.service.stderr()).not.toMatch(/sgn_ot_|example\.com/);
});

test("docs/guides/hosted-pages.md: its lines set colour and pages", async () => {
  const { service } = site;
  const { siteId, backend } = await site.open({ name: "Guide" });
  const env = {
    PATH: await pathWithSignet(),
    SIGNET_URL: service.url,
    SIGNET_KEY: service.operatorKey,
  };
  const blocks = blocksOf("hosted-pages", "sh");
  for (const block of blocks) {
    const { exitCode, stderr } = await runProgram(
      "bash",
      ["-c", block.replaceAll("<site id>", siteId)],
      env,
    );
    expect([exitCode, stderr]).toEqual([0, ""]);
  }

  expect(blocks).toHaveLength(2);
  expect((await backend.sites.getSite({})).site).toMatchObject({
    accentColor: "#0b7a4b",
    linkPages: {
      verifyEmailUrl: "https://shop.example.com/verify-email",
      resetPasswordUrl: "https://shop.example.com/reset-password",
      acceptInvitationUrl: "",
    },
  });
  const gone = await openPage(`${service.url}/sites/${siteId}/accept-invitation?token=x`);
  expect(gone.page).toContain("--accent: #0b7a4b; --on-accent: #ffffff;");
});
