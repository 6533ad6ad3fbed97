import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runSignet } from "../support/programs.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

const USERS = 60;

let running: SiteOnService;

beforeAll(async () => {
  running = await openSiteOnService();
  const { users } = running.site.backend;
  for (let n = 0; n < USERS; n += 1) {
    await users.createUser({
      email: `user${n}@example.com`,
      username: `name${n}`,
      displayName: "Ada L.",
      emailVerified: n < 10,
      roles: n === 0 ? ["admin", "user"] : ["user"],
    });
  }
});

afterAll(() => running[Symbol.asyncDispose]());

describe("signet user list", () => {
  test("lists 50 Users as a table, and says that there are more", async () => {
    const { stdout, exitCode } = await signet("list");

    const lines = stdout.trimEnd().split("\n");
    expect(exitCode).toBe(0);
    expect(lines[0]).toMatch(/^ID +E-MAIL +USERNAME +DISPLAY NAME +ROLES +STATE +CREATED$/);
    expect(lines[1]).toMatch(/ user0@example\.com +name0 +Ada L\. +admin, user +active +\d{4}-/);
    expect(lines.filter((line) => line.includes("@example.com"))).toHaveLength(50);
    expect(lines.at(-1)).toBe("There are more: --limit shows them.");
  });

  test("lists all up to a limit as JSON, and goes on from a token", async () => {
    const whole = await answerOf("list", "--limit", "1000");
    const first = await answerOf("list", "--limit", "25");
    const second = await answerOf("list", "--page-token", first.nextPageToken);

    expect(whole).toMatchObject({ nextPageToken: "", syncCursor: expect.stringMatching(/.+/) });
    expect(whole.users).toHaveLength(USERS);
    expect([...first.users, ...second.users]).toEqual(whole.users);
    expect(second.syncCursor).toBe(first.syncCursor);
  });

  test("finds by each filter, and says when there is nobody", async () => {
    const { users } = running.site.backend;
    const { user } = await users.lookupUser({
      user: { ref: { case: "username", value: "name7" } },
    });
    await users.disableUser({ userId: user?.id ?? "" });

    const emailsOf = async (...words: readonly string[]) =>
      (await answerOf("list", ...words)).users.map(({ email }: { email: string }) => email);

    expect(await emailsOf("--state", "disabled", "--state", "invited")).toEqual([user?.email]);
    expect(await emailsOf("--role", "admin")).toEqual(["user0@example.com"]);
    expect(await emailsOf("--email-verified")).toHaveLength(10);
    expect(await emailsOf("--email-prefix", "USER5")).toHaveLength(11);
    expect(await emailsOf("--username-prefix", "name59", "--created-since", "1d")).toHaveLength(1);
    expect((await signet("list", "--updated-since", "2999-01-01")).stdout).toBe(
      "There are no such Users.\n",
    );
  });

  test.each([
    [["--limit", "0"], "--limit must be 1 or more"],
    [["--email-prefix", "a", "--username-prefix", "b"], "not both"],
    [["--created-since", "soon"], "It must be a date"],
    [["--state", "gone"], "It must be one of active, invited, disabled, deleted"],
  ])("refuses %j", async (words, problem) => {
    const { exitCode, stderr } = await signet("list", ...words);

    expect(exitCode).toBe(2);
    expect(stderr).toContain(problem);
  });
});

describe("signet user count", () => {
  test("counts for people and for programs, as an operator and with a site key", async () => {
    const { siteId, key } = running.site;

    const asBackend = await signet("count");
    const asOperator = await runSignet(
      ["user", "count", "--site", siteId, "--no-email-verified", "--json"],
      { SIGNET_URL: running.service.url, SIGNET_KEY: running.service.operatorKey },
    );

    expect(key).not.toBe(running.service.operatorKey);
    expect(asBackend).toMatchObject({ exitCode: 0, stdout: `${USERS}\n` });
    expect(JSON.parse(asOperator.stdout)).toEqual({ count: `${USERS - 10}` });
  });
});

function signet(...words: readonly string[]) {
  const { service, site } = running;
  return runSignet(["user", ...words], { SIGNET_URL: service.url, SIGNET_KEY: site.key });
}

async function answerOf(...words: readonly string[]) {
  const { exitCode, stdout, stderr } = await signet(...words, "--json");
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout);
}
