import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { signUp } from "../support/builders.ts";
import { callWithHeaders, type HeaderAnswer, type HeaderList } from "../support/header-call.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

const COOKIE = "token";
const LOGIN_URL = "https://login.example.com/sign-in?theme=dark";

let opened: SiteOnService;

beforeAll(async () => {
  opened = await openSiteOnService({
    SIGNET_FORWARD_AUTH_COOKIE: COOKIE,
    SIGNET_FORWARD_AUTH_LOGIN_URL: LOGIN_URL,
  });
});

afterAll(() => opened[Symbol.asyncDispose]());

function ask(headers: HeaderList, query: string): Promise<HeaderAnswer> {
  return callWithHeaders(`${opened.service.url}/forward-auth${query}`, headers);
}

describe("a browser without a good token", () => {
  const page: HeaderList = [
    ["Accept", "text/html,application/xhtml+xml;q=0.9"],
    ["X-Forwarded-Method", "GET"],
    ["X-Forwarded-Proto", "https"],
    ["X-Forwarded-Host", "login.example.com"],
    ["X-Forwarded-Uri", "/reports?year=2026&page=2"],
  ];
  const without = (name: string, value?: string): HeaderList => [
    ...page.filter(([known]) => known !== name),
    ...(value === undefined ? [] : ([[name, value]] as const)),
  ];

  test("is sent to the login page where the route says so, and told the way back", async () => {
    const { status, headers } = await ask(page, "?redirect=login");

    const to = new URL(String(headers.location));
    expect(status).toBe(302);
    expect(`${to.origin}${to.pathname}`).toBe("https://login.example.com/sign-in");
    expect(Object.fromEntries(to.searchParams)).toEqual({
      theme: "dark",
      return_to: "https://login.example.com/reports?year=2026&page=2",
    });
  });

  test("is sent there with a token that is not good, too", async () => {
    const answer = await ask([...page, ["Cookie", `${COOKIE}=x`]], "?redirect=login");

    expect(answer).toMatchObject({ status: 302 });
  });

  test.each([
    ["a call of a script", without("Accept", "application/json"), "?redirect=login"],
    ["a request without Accept", without("Accept"), "?redirect=login"],
    ["a form", without("X-Forwarded-Method", "POST"), "?redirect=login"],
    ["a route that does not say so", page, ""],
  ] as const)("is not sent there by %s", async (_name, headers, query) => {
    expect(await ask(headers, query)).toMatchObject({ status: 401 });
  });

  test("is not sent there by a User who may too little", async () => {
    const { accessToken } = await signUp(opened.site.backend);
    const bearer = ["Authorization", `Bearer ${accessToken}`] as const;

    const answer = await ask([...page, bearer], "?redirect=login&role=admin");

    expect(answer).toMatchObject({ status: 403 });
  });

  test.each([
    ["another host", "X-Forwarded-Host", "evil.example.com"],
    ["a host that ends alike", "X-Forwarded-Host", "evil-login.example.com"],
    ["a host with a user name", "X-Forwarded-Host", "login.example.com@evil.example.com"],
    ["a host behind a backslash", "X-Forwarded-Host", "login.example.com\\.evil.example.com"],
    ["two hosts", "X-Forwarded-Host", "login.example.com, evil.example.com"],
    ["another port", "X-Forwarded-Host", "login.example.com:8443"],
    ["another scheme", "X-Forwarded-Proto", "javascript"],
    ["plain text instead of TLS", "X-Forwarded-Proto", "http"],
    ["a path that names a host", "X-Forwarded-Uri", "//evil.example.com/"],
    ["a path that names one by a backslash", "X-Forwarded-Uri", "/\\evil.example.com/"],
    ["a path that is a URL", "X-Forwarded-Uri", "https://evil.example.com/"],
    ["a path that is part of a host", "X-Forwarded-Uri", ".evil.example.com/"],
    ["a path that has no end", "X-Forwarded-Uri", `/${"a".repeat(2_048)}`],
  ])("takes no way back to %s", async (_name, header, value) => {
    const answer = await ask(without(header, value), "?redirect=login");

    expect(answer).toMatchObject({ status: 302, headers: { location: LOGIN_URL } });
  });

  test("takes a way back to a domain of the Site that the route names", async () => {
    const { site } = await opened.operator.sites.getSite({ siteId: opened.site.siteId });
    const [domain = ""] = site?.domains ?? [];
    const query = `?redirect=login&site=${opened.site.siteId}`;

    const own = await ask(without("X-Forwarded-Host", domain), query);
    const below = await ask(without("X-Forwarded-Host", `x.${domain}`), query);
    const unnamed = await ask(without("X-Forwarded-Host", domain), "?redirect=login");

    const to = new URL(String(own.headers.location));
    expect(to.searchParams.get("return_to")).toBe(`https://${domain}/reports?year=2026&page=2`);
    expect(below.headers.location).toBe(LOGIN_URL);
    expect(unnamed.headers.location).toBe(LOGIN_URL);
  });
});
