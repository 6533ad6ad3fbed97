import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type OwnService, startOwnService } from "../support/own-service.ts";
import { runSignet, runSignetProcess } from "../support/programs.ts";

let service: OwnService;

beforeAll(async () => {
  service = await startOwnService();
});

afterAll(() => service[Symbol.asyncDispose]());

/** Runs a command as an operator, or with the given key; `""` is no key at all. */
function signet(words: readonly string[], key = service.operatorKey, reply?: boolean) {
  return runSignet(words, { SIGNET_URL: service.url, ...(key && { SIGNET_KEY: key }) }, reply);
}

/** Runs a command that must succeed and returns its answer. */
async function answerOf(words: readonly string[], key?: string) {
  const { exitCode, stdout, stderr } = await signet([...words, "--json"], key);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout);
}

async function createSite(...options: readonly string[]): Promise<string> {
  const required = ["--name", "Blog", "--frontend-url", "http://localhost:3000"];
  const { site } = await answerOf(["site", "create", ...required, ...options]);
  return site.id;
}

describe("signet site", () => {
  test("creates a Site with the settings that are given, and shows it", async () => {
    const id = await createSite("--lifetime", "access-token=600", "--no-self-registration");

    const { site } = await answerOf(["site", "get", id]);
    const { stdout } = await signet(["site", "get", id]);

    expect(site).toMatchObject({ id, name: "Blog", selfRegistration: false });
    expect(site.lifetimes).toMatchObject({ accessTokenSeconds: 600, sessionIdleSeconds: 604_800 });
    expect(stdout).toContain(`Site                         ${id}\n`);
  });

  test("answers to a repeated create with the same id as to the first", async () => {
    const id = "01890a5d-ac96-774b-bcce-b302099a8057";

    await createSite("--id", id);

    expect(await createSite("--id", id)).toBe(id);
  });

  test("finds a Site by its domain, for anybody", async () => {
    const id = await createSite("--domain", "blog.example.com");

    const { site } = await answerOf(["site", "get", "--domain", "BLOG.example.com"], "");

    expect(site).toMatchObject({ id, name: "Blog" });
  });
});

describe("signet key", () => {
  test("creates a key that works, lists it without its secret, and revokes it", async () => {
    const site = await createSite();
    const named = ["--site", site, "--label", "backend"];
    const scopes = ["--scope", "users.read", "--scope", "sync", "--expire-time", "90d"];
    const { apiKey, secret } = await answerOf(["key", "create", ...named, ...scopes]);
    const own = await answerOf(["site", "get"], secret);

    const listed = await signet(["key", "list", "--site", site]);
    const revoked = await answerOf(["key", "revoke", apiKey.id, "--site", site, "--yes"]);
    const left = await answerOf(["key", "list", "--site", site]);

    expect(apiKey).toMatchObject({ scopes: ["SCOPE_USERS_READ", "SCOPE_SYNC"] });
    expect(own.site.id).toBe(site);
    expect(listed.stdout).toContain(apiKey.id);
    expect(listed.stdout).not.toContain(secret);
    expect(revoked.apiKey.revokeTime).toBeTruthy();
    expect(left.apiKeys).toEqual([]);
    await expect.poll(() => signet(["site", "get"], secret)).toMatchObject({ exitCode: 1 });
  });

  test("shows the secret to a person, once", async () => {
    const words = ["key", "create", "--site", await createSite(), "--label", "backend"];
    const id = ["--id", "01890a5d-0000-7000-8000-000000000001", "--scope", "auth"];

    const first = await signet([...words, ...id]);
    const second = await signet([...words, ...id]);

    expect(first.stdout).toMatch(/\n\nSecret, shown only now:\nsgn_site_\S{64}\n$/);
    expect(second.stdout).toMatch(/was shown when the key was created/);
  });

  test("is revoked only by who says yes", async () => {
    const site = await createSite();
    const named = ["--site", site, "--label", "backend", "--scope", "auth"];
    const { apiKey } = await answerOf(["key", "create", ...named]);
    const revoke = ["key", "revoke", apiKey.id, "--site", site];

    const unasked = await signet(revoke);
    const declined = await signet(revoke, service.operatorKey, false);
    const left = await answerOf(["key", "list", "--site", site]);
    const confirmed = await signet(revoke, service.operatorKey, true);

    expect(unasked).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("add --yes") });
    expect(declined).toMatchObject({ exitCode: 2, stdout: "" });
    expect(left.apiKeys).toHaveLength(1);
    expect(confirmed).toMatchObject({ exitCode: 0, stderr: "" });
  });
});

describe("signet user", () => {
  test("creates, finds, changes and deletes a User", async () => {
    const site = ["--site", await createSite()];
    const fields = ["--email", "Ada@Example.com", "--external-id", "4711", "--role", "editor"];
    const metadata = ["--metadata", '{"plan":"free"}'];
    const { user } = await answerOf(["user", "create", ...site, ...fields, ...metadata]);

    const byId = await answerOf(["user", "get", user.id, ...site]);
    const byEmail = await answerOf(["user", "get", "Ada@example.com", ...site]);
    const byExternalId = await answerOf(["user", "get", "external-id:4711", ...site]);
    const change = ["--display-name", "Ada", "--no-roles", "--expected-version", user.version];
    const updated = await answerOf(["user", "update", user.id, ...site, ...change]);
    const deleted = await answerOf(["user", "delete", user.id, ...site, "--yes"]);

    expect(user).toMatchObject({ email: "ada@example.com", metadata: { plan: "free" } });
    expect([byId.user, byEmail.user, byExternalId.user]).toEqual([user, user, user]);
    expect(byId.signIn).toMatchObject({ failedLogins: 0, activeSessions: 0 });
    expect(updated.user).toMatchObject({ displayName: "Ada", roles: [], email: user.email });
    expect(deleted.user).toMatchObject({ state: "USER_STATE_DELETED", email: "" });
  });

  test("refuses a change that was meant for another version", async () => {
    const site = ["--site", await createSite()];
    const { user } = await answerOf(["user", "create", ...site, "--email", "ada@example.com"]);

    const change = ["--display-name", "Ada", "--expected-version", "7"];
    const { exitCode, stderr } = await signet(["user", "update", user.id, ...site, ...change]);

    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^signet: .*VERSION_MISMATCH.*\n$/);
  });
});

describe("what goes wrong", () => {
  test.each([
    [
      "a bad field",
      ["site", "create", "--name", "X", "--frontend-url", "ftp://x"],
      "--frontend-url must",
    ],
    ["a missing Site", ["key", "list"], "--site is required (INVALID_FIELD, site_id)"],
    ["another's Site", ["site", "get", "01890a5d-0000-7000-8000-000000000000"], "SITE_NOT_FOUND"],
  ])("is said in one line, with its reason: %s", async (_, words, message) => {
    const { exitCode, stdout, stderr } = await signet(words);

    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr.split("\n")).toHaveLength(2);
  });

  test.each([
    ["no command", []],
    ["an unknown command", ["side", "get"]],
    ["a missing option", ["site", "create", "--name", "Blog"]],
    ["an unknown scope", ["key", "create", "--label", "x", "--scope", "everything"]],
    ["a malformed number", ["user", "delete", "x", "--expected-version", "1e3"]],
    ["a malformed time", ["key", "create", "--label", "x", "--expire-time", "soon"]],
    ["an unknown way to find a User", ["user", "get", "phone:123"]],
    ["two ways to find a Site", ["site", "get", "x", "--domain", "blog.example.com"]],
    ["a list that is both given and emptied", ["site", "update", "--no-origins", "--origin", "x"]],
    ["metadata that are no object", ["user", "create", "--email", "a@b.c", "--metadata", "[1]"]],
  ])("ends with code 2, and nothing is done: %s", async (_, words) => {
    const { exitCode, stdout, stderr } = await signet(words);

    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).not.toBe("");
  });

  test("is a bad key, which is not told apart from an unknown one", async () => {
    const { exitCode, stderr } = await signet(["site", "get"], "sgn_site_nonsense");

    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringMatching(
        /^signet: credential invalid \(CREDENTIAL_INVALID\); SIGNET_KEY has not the form .+\n$/,
      ),
    });
  });

  test("is an option that there is not, and the help of that very command is named", async () => {
    const { stderr } = await signet(["key", "list", "--sites", "x"]);

    expect(stderr).toMatch(/'--sites'\n.*--site.*\nFor help: signet key list --help\n$/);
  });

  test("is an address where a Signet speaks otherwise, or is not", async () => {
    const [tls = "", path = ""] = [
      service.url.replace("http:", "https:"),
      `${service.url}/console`,
    ];
    const environment = (url: string) => ({ SIGNET_URL: url, SIGNET_KEY: service.operatorKey });

    const overTls = await runSignet(["site", "list"], environment(tls));
    const below = await runSignet(["site", "list"], environment(path));

    expect(overTls.stderr).toBe(
      `signet: no Signet answers at ${tls}: it does not speak TLS: ` +
        "should the address begin with http://?\n",
    );
    expect(below.stderr).toBe(`signet: what answers at ${path} is no Signet: correct SIGNET_URL\n`);
  });

  test("is a missing key, and it says where to find one", async () => {
    const { exitCode, stderr } = await signet(["key", "list"], "");

    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^signet: SIGNET_KEY is not set: .*profile add.*operator-key\n$/);
  });

  test("is a Signet that does not answer", async () => {
    const environment = { SIGNET_URL: "http://127.0.0.1:1", SIGNET_KEY: "sgn_op_x" };

    const { exitCode, stderr } = await runSignet(["site", "get"], environment);

    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^signet: no Signet answers at http:\/\/127\.0\.0\.1:1: .+\n$/);
  });
});

describe("the program", () => {
  test("reads its environment and ends with the exit code", async () => {
    const environment = { SIGNET_URL: service.url, SIGNET_KEY: service.operatorKey };
    const words = ["site", "create", "--name", "Blog", "--frontend-url"];

    const [done, refused, misused] = await Promise.all([
      runSignetProcess([...words, "http://localhost"], environment),
      runSignetProcess([...words, "nonsense"], environment),
      runSignetProcess(words, environment),
    ]);

    expect(done).toMatchObject({
      exitCode: 0,
      stderr: "",
      stdout: expect.stringMatching(/^Site /),
    });
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(misused).toMatchObject({ exitCode: 2, stdout: "" });
  });
});

describe("every command explains itself with examples", async () => {
  const { stdout } = await runSignet(["completion", "bash"], {});
  const paths = [...stdout.matchAll(/^ {4}"signet ([^"]+)"\) (?!commands)/gm)]
    .map(([, path = ""]) => path)
    .filter((path) => !path.endsWith("help") && !path.includes(" --"));

  test.each(paths)("%s", async (path) => {
    const help = await runSignet([...path.split(" "), "--help"], {});

    expect(help.exitCode).toBe(0);
    expect(help.stdout).toMatch(new RegExp(`Examples:\\n {2}\\$ signet ${path}`));
  });
});
