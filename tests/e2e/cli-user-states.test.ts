import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { logIn, signUp, uniqueEmail } from "../support/builders.ts";
import { printedMails } from "../support/mailbox.ts";
import { runSignet } from "../support/programs.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

const PASSWORD = "four quiet otters swim";

let running: SiteOnService;

beforeAll(async () => {
  running = await openSiteOnService();
});

afterAll(() => running[Symbol.asyncDispose]());

function signet(words: readonly string[], reply?: boolean | string) {
  const { service, site } = running;
  return runSignet(words, { SIGNET_URL: service.url, SIGNET_KEY: site.key }, reply);
}

async function answerOf(...words: readonly string[]) {
  const { exitCode, stdout, stderr } = await signet([...words, "--json"]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout);
}

const tokensMailedTo = (email: string) =>
  printedMails(running.service).filter(({ to, token }) => to === email && token !== "");

describe("signet user invite", () => {
  test("sends a mail, by which the person gets in", async () => {
    const email = uniqueEmail();

    const { user } = await answerOf("user", "invite", "--email", email, "--role", "editor");
    const mail = await until(() => tokensMailedTo(email)[0]);
    await running.site.backend.auth.acceptInvitation({ token: mail.token, password: PASSWORD });

    expect(user).toMatchObject({ email, state: "USER_STATE_INVITED", roles: ["editor"] });
    expect(await logIn(running.site.backend, email, PASSWORD)).toMatchObject({
      accessToken: expect.stringMatching(/.+/),
    });
  });

  test("shows the token in place of a mail, to who may have it", async () => {
    const email = uniqueEmail();

    const { stdout } = await signet(["user", "invite", "--email", email, "--return-token"]);
    const { user } = await answerOf("user", "get", email);

    expect(stdout).toMatch(/Token, shown only now, good until .+ UTC:\nsgn_ot_\S+\n$/);
    expect(user.state).toBe("USER_STATE_INVITED");
    expect(tokensMailedTo(email)).toEqual([]);
  });
});

describe("a User", () => {
  test("is named by id, address, username or external id, wherever one is named", async () => {
    const email = uniqueEmail();
    const names = ["--username", "ada.l", "--external-id", "17/a@b"];
    const { user } = await answerOf("user", "create", "--email", email, ...names);
    const ways = [user.id, email.toUpperCase(), `email:${email}`, "Ada.L", "external-id:17/a@b"];

    const found = await Promise.all(ways.map((way) => answerOf("user", "get", way)));
    const disabled = await answerOf("user", "disable", "ada.l");
    const sessions = await answerOf("session", "list", "external-id:17/a@b");
    const deleted = await answerOf("user", "delete", email, "--yes");

    expect(found.map((each) => each.user.id)).toEqual(ways.map(() => user.id));
    expect(disabled.user).toMatchObject({ id: user.id, state: "USER_STATE_DISABLED" });
    expect(sessions.sessions).toEqual([]);
    expect(deleted.user).toMatchObject({ id: user.id, state: "USER_STATE_DELETED" });
  });

  test("is disabled and enabled", async () => {
    const { email, password } = await signUp(running.site.backend);

    const disabled = await answerOf("user", "disable", email);
    const refused = await logIn(running.site.backend, email, password).catch(() => "refused");
    const enabled = await signet(["user", "enable", email]);

    expect(disabled.user.state).toBe("USER_STATE_DISABLED");
    expect(refused).toBe("refused");
    expect(enabled.stdout).toMatch(/^State +active$/m);
    expect(await logIn(running.site.backend, email, password)).toBeDefined();
  });

  test("is unlocked after too many guesses", async () => {
    const { email, password } = await signUp(running.site.backend);
    await until(async () => {
      await logIn(running.site.backend, email, "not the password").catch(() => undefined);
      const { signIn } = await answerOf("user", "get", email);
      return signIn.lockExpireTime;
    }, 60_000);

    const { user } = await answerOf("user", "unlock", email);
    const { signIn } = await answerOf("user", "get", user.id);

    expect(signIn).toMatchObject({ failedLogins: 0 });
    expect(signIn.lockExpireTime).toBeUndefined();
    expect(await logIn(running.site.backend, email, password)).toBeDefined();
  });

  test("loses its second factor only after a yes", async () => {
    const { email } = await signUp(running.site.backend);

    const declined = await signet(["user", "reset-mfa", email], false);
    const nobody = await signet(["user", "reset-mfa", email]);
    const agreed = await signet(["user", "reset-mfa", email], true);

    expect(declined).toMatchObject({ exitCode: 2, stderr: "signet: nothing was done\n" });
    expect(nobody).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("add --yes") });
    expect(agreed).toMatchObject({ exitCode: 0 });
    expect(agreed.stdout).toMatch(/^Second factor +no$/m);
  });

  test("gets another verification mail, unless there is nothing to verify", async () => {
    const email = uniqueEmail();
    await answerOf("user", "create", "--email", email, "--username", "eve");

    const sent = await signet(["user", "resend-verification", "eve"]);
    const mail = await until(() => tokensMailedTo(email)[0]);
    await running.site.backend.auth.verifyEmail({ token: mail.token, password: PASSWORD });
    const again = await signet(["user", "resend-verification", email]);

    expect(sent.stdout).toBe(`A mail with a link is on its way to ${email}.\n`);
    expect(again).toMatchObject({
      exitCode: 1,
      stderr: `signet: ${email} is verified already; no mail was sent\n`,
    });
  });

  test("that is not there is told with what to do", async () => {
    const { exitCode, stderr } = await signet(["user", "disable", uniqueEmail()]);

    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/USER_NOT_FOUND.*; `signet user list` shows/);
  });
});

describe("signet session", () => {
  test("lists Sessions page after page, ends one, and all", async () => {
    const { email, password, sessionId, userId } = await signUp(running.site.backend);
    await logIn(running.site.backend, email, password);
    await logIn(running.site.backend, email, password);

    const listed = await answerOf("session", "list", email);
    const first = await answerOf("session", "list", email, "--limit", "1");
    const rest = await answerOf("session", "list", email, "--page-token", first.nextPageToken);
    const ended = await answerOf("session", "revoke", sessionId);
    const table = await signet(["session", "list", email]);
    const all = await signet(["session", "revoke-all", email, "--yes"]);
    const left = await signet(["session", "list", email]);

    expect(listed.sessions).toHaveLength(3);
    expect([...first.sessions, ...rest.sessions]).toEqual(listed.sessions);
    expect(ended).toMatchObject({ userId });
    expect(table.stdout).toMatch(/^ID +SIGNED IN +BY +LAST REFRESH +ENDS AT/);
    expect(table.stdout).not.toContain(sessionId);
    expect(all.stdout).toBe(`2 Sessions of the User ${userId} have ended.\n`);
    expect(left.stdout).toBe("There are no Sessions.\n");
  });

  test("names the argument that is wrong", async () => {
    const { exitCode, stderr } = await signet(["session", "revoke", "x"]);

    expect(exitCode).toBe(1);
    expect(stderr).toContain("<id> must be a UUID (INVALID_FIELD, session_id)");
  });
});
