import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createKey,
  createSite,
  grpcClients,
  logIn,
  type SignedIn,
  signUp,
} from "../support/builders.ts";
import { callWithHeaders, type HeaderAnswer, type HeaderList } from "../support/header-call.ts";
import { runProgram } from "../support/programs.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

let opened: SiteOnService;

beforeAll(async () => {
  opened = await openSiteOnService();
});

afterAll(() => opened[Symbol.asyncDispose]());

function ask(headers: HeaderList, query: string): Promise<HeaderAnswer> {
  return callWithHeaders(`${opened.service.url}/forward-auth${query}`, headers);
}

function bearer(token: string): HeaderList {
  return [["Authorization", `Bearer ${token}`]];
}

describe("what a route asks", () => {
  let editor: SignedIn;
  let otherSiteId: string;

  beforeAll(async () => {
    const { backend } = opened.site;
    editor = await signUp(backend);
    const { userId, email, password } = editor;
    await backend.users.updateUser({ userId, roles: { roles: ["editor", "staff"] } });
    editor = { ...editor, ...(await logIn(backend, email, password)) };
    otherSiteId = await createSite(opened.operator);
  });

  test.each([
    ["?role=editor", 200],
    ["?role=admin,editor", 200],
    ["?role=editor&role=staff", 200],
    ["?role=editor&role=admin", 403],
    ["?role=admin", 403],
    ["?role=edito", 403],
    ["?site=SITE", 200],
    ["?site=OTHER,SITE&role=staff", 200],
    ["?site=OTHER", 403],
    ["?site=SITE&site=OTHER", 403],
  ])("%s is met or not: %i", async (query, status) => {
    const filled = query.replaceAll("SITE", opened.site.siteId).replaceAll("OTHER", otherSiteId);

    const answer = await ask(bearer(editor.accessToken), filled);

    expect(answer.status).toBe(status);
    expect(answer.headers["x-user-role"]).toBe(status === 200 ? "editor,staff" : undefined);
  });

  test("is refused with what RFC 6750 says of a token that may too little", async () => {
    const answer = await ask(bearer(editor.accessToken), "?role=admin");

    expect(answer).toMatchObject({
      status: 403,
      body: '{"error":"access_denied"}',
      headers: { "www-authenticate": 'Bearer realm="signet", error="insufficient_scope"' },
    });
  });

  test("is asked with the line of the guide", async () => {
    const guide = readFileSync("docs/guides/forward-auth.md", "utf8");
    const line = /^```sh\n(.*?)^```$/ms.exec(guide)?.[1] ?? "";
    const environment = { SIGNET_URL: opened.service.url, ACCESS_TOKEN: editor.accessToken };

    const { stdout } = await runProgram("bash", ["-c", line], environment);

    expect(stdout).toMatch(/^HTTP\/1\.1 403 /);
  });

  test("a token of another Site does not pass, whatever its roles", async () => {
    const key = await createKey(opened.operator, otherSiteId);
    const stranger = await signUp(grpcClients(opened.service.url, key));
    const { siteId } = opened.site;

    expect(await ask(bearer(stranger.accessToken), `?site=${siteId}`)).toMatchObject({
      status: 403,
    });
    expect(await ask(bearer(stranger.accessToken), "")).toMatchObject({
      status: 200,
      headers: { "x-site-id": otherSiteId },
    });
  });

  test.each([
    "?rolle=admin",
    "?role=",
    "?role=Admin",
    "?role=admin,",
    "?site=",
    "?site=shop",
    "?audience=a&audience=b",
    "?audience=",
    "?redirect=yes",
    `?${"role=admin&".repeat(17)}`,
    `?role=${"a,".repeat(40)}a`,
  ])("lets nobody pass when it cannot be understood: %s", async (query) => {
    expect(await ask(bearer(editor.accessToken), query)).toMatchObject({ status: 400 });
  });
});
