import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { type AppDatabase, openAppDatabase } from "../support/app-database.ts";
import { createKey, signUp, unique, uniqueEmail } from "../support/builders.ts";
import { type RunningProgram, runSignet, startSignet } from "../support/programs.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";
import { until } from "../support/waiting.ts";

interface Finding {
  readonly check: string;
  readonly verdict: "ok" | "warn" | "fail" | "skip";
  readonly text: string;
  readonly advice?: string;
}

const WAIT_MS_MAX = 40_000;

let home: SiteOnService;
let app: AppDatabase;
let program: RunningProgram;

beforeAll(async () => {
  [home, app] = await Promise.all([openSiteOnService(), openAppDatabase()]);
  await signUp(home.site.backend);
  program = startSignet(["sync", "mirror", "--to", app.url], environment());
  await program.output.waitFor(/^users: live$/m, "Users were live");
  await program.output.waitFor(/^revocations: live$/m, "Revocations were live");
});

afterAll(async () => {
  await program.stop();
  await Promise.all([home, app].map((each) => each[Symbol.asyncDispose]()));
});

function environment(key = home.site.key) {
  return { SIGNET_URL: home.service.url, SIGNET_KEY: key };
}

/** Examines the set-up, and returns the findings by check. */
async function examine(words: readonly string[] = [], env = environment()) {
  const { exitCode, stdout } = await runSignet(["doctor", "--json", ...words], env);
  const { verdict, findings } = JSON.parse(stdout) as {
    readonly verdict: string;
    readonly findings: readonly Finding[];
  };
  return {
    exitCode,
    verdict,
    verdicts: new Map(findings.map(({ check, verdict: each }) => [check, each])),
    of: (check: string) => findings.find((finding) => finding.check === check),
  };
}

const mirror = () => ["--mirror", app.url];

describe("signet doctor", () => {
  test("finds nothing wrong where everything is right, and says so in plain words", async () => {
    const { exitCode, verdict, verdicts } = await examine(mirror());
    const { stdout } = await runSignet(["doctor", ...mirror()], environment());

    expect([...verdicts].filter(([, each]) => each === "fail" || each === "skip")).toEqual([]);
    expect({ exitCode, verdict }).toEqual({ exitCode: 0, verdict: "ok" });
    expect(stdout).toContain(`a Signet answers at ${home.service.url}`);
    expect(stdout).toMatch(/^ok +mirror\.sums +its 1 Users are exactly those of the Site$/m);
    expect(stdout).not.toContain(home.site.key);
  });

  test("tells what a key may do", async () => {
    const key = await createKey(home.operator, home.site.siteId, {
      scopes: [Scope.USERS_READ, Scope.SYNC],
    });

    const { of } = await examine([], environment(key));

    expect(of("signet.key")?.text).toContain(home.site.siteId);
    expect(of("signet.scopes")).toMatchObject({
      verdict: "ok",
      text: "it may at least: users.read, sync",
    });
  });

  test("misses the scope that mirrors need", async () => {
    const scopes = [Scope.AUTH];
    const key = await createKey(home.operator, home.site.siteId, { scopes });

    const { of, exitCode } = await examine([], environment(key));

    expect(of("signet.scopes")).toMatchObject({ verdict: "warn", text: "it may at least: auth" });
    expect(exitCode).toBe(0);
  });

  test.each([
    ["a Signet that is away", { SIGNET_URL: "http://127.0.0.1:9" }, "signet.address"],
    ["an address that is none", { SIGNET_URL: "localhost:5678" }, "signet.address"],
    ["no key", { SIGNET_KEY: "" }, "signet.key"],
    ["an unknown key", { SIGNET_KEY: "sgn_site_nonsense" }, "signet.key"],
  ])("fails with what to do: %s", async (_, changed, check) => {
    const { exitCode, verdict, of } = await examine([], { ...environment(), ...changed });

    expect({ exitCode, verdict }).toEqual({ exitCode: 1, verdict: "fail" });
    expect(of(check)).toMatchObject({ verdict: "fail", advice: expect.stringMatching(/\w+/) });
  });

  test("fails where the clocks differ, and where the service is not ready", async () => {
    await using server = await openServer((response) => {
      const date = new Date(Date.now() - 120_000).toUTCString();
      const missing = ["database"];
      response.writeHead(503, { date }).end(JSON.stringify({ status: "not_ready", missing }));
    });

    const { of } = await examine([], { ...environment(), SIGNET_URL: server.url });

    expect(of("signet.clock")).toMatchObject({
      verdict: "fail",
      text: expect.stringMatching(/^its clock is 1(19|20|21) s behind this one$/),
    });
    expect(of("signet.ready")).toMatchObject({
      verdict: "fail",
      text: "it is not ready to serve, for want of: database",
    });
    // A server like this one speaks HTTP/1.1 alone.
    expect(of("signet.key")).toMatchObject({
      verdict: "fail",
      advice: expect.stringContaining("HTTP/2"),
    });
  });

  test("tells a Signet from whatever else may answer", async () => {
    await using server = await openServer((response) => response.end("<h1>Welcome</h1>"));

    const { of } = await examine([], { ...environment(), SIGNET_URL: `${server.url}/` });

    expect(of("signet.address")?.text).toMatch(/^what answers at \S+ is no Signet$/);
  });

  test("warns of an operator key in the place of a site key", async () => {
    const asOperator = environment(home.service.operatorKey);
    const { of } = await examine([], asOperator);
    const nowhere = await examine(["--site", "01890a5d-0000-7000-8000-000000000000"], asOperator);
    const somewhere = await examine(["--site", home.site.siteId], asOperator);

    expect(of("signet.key")).toMatchObject({ verdict: "warn" });
    expect(nowhere.of("signet.key")).toMatchObject({ verdict: "fail" });
    expect(somewhere.of("signet.health")).toMatchObject({ verdict: "ok" });
  });
});

describe("signet doctor --mirror", () => {
  test("finds a column that looks like a secret, and believes who says it is none", async () => {
    await alter("add column hashed_password text, add column plan_tier text");
    await alter("add column password_changed_at timestamptz");

    const found = await examine(mirror());
    const allowed = await examine([...mirror(), "--allow-column", "hashed_password"]);
    await alter("drop column hashed_password, drop column plan_tier");
    await alter("drop column password_changed_at");

    expect(found.exitCode).toBe(1);
    expect(found.of("mirror.secrets")).toMatchObject({
      verdict: "fail",
      text: "looks like a secret: hashed_password",
    });
    expect(allowed.of("mirror.secrets")).toMatchObject({ verdict: "ok" });
  });

  test("warns of one in a table of the app's that refers to the mirror", async () => {
    await app.pool.query(
      "create table accounts (id uuid references signet_users, totp_secret text, plan text)",
    );

    const { of } = await examine(mirror());
    await app.pool.query("drop table accounts");

    expect(of("app.secrets")).toMatchObject({
      verdict: "warn",
      text: "looks like a secret: accounts.totp_secret",
    });
  });

  test.each([
    ["disabled", "alter table signet_users disable trigger signet_guard_update"],
    ["dropped", "drop trigger signet_guard_update on signet_users"],
  ])("finds a trigger that is %s", async (_, statement) => {
    const definition = await triggerDefinition();
    await app.pool.query(statement);

    const { of, exitCode } = await examine(mirror());
    await app.pool.query(definition.replace("CREATE", "CREATE OR REPLACE"));
    await alter("enable trigger signet_guard_update");

    expect(exitCode).toBe(1);
    expect(of("mirror.guard")).toMatchObject({
      verdict: "fail",
      text: "missing or disabled: signet_guard_update",
    });
    expect((await examine(mirror())).of("mirror.guard")).toMatchObject({ verdict: "ok" });
  });

  test("names the roles that may write what Signet decides about", async () => {
    const role = unique("app").replace("-", "_");
    await app.pool.query(`create role ${role}; grant select on signet_users to ${role}`);
    const before = await examine(mirror());
    await app.pool.query(`grant delete, update (email) on signet_users to ${role}`);

    const { of } = await examine(mirror());
    await app.pool.query(`drop owned by ${role}; drop role ${role}`);

    expect(before.of("mirror.grants")?.text).not.toContain(role);
    expect(of("mirror.grants")).toMatchObject({
      verdict: "warn",
      text: expect.stringContaining(`${role} may update (email), delete`),
    });
  });

  test("counts writes by others", async () => {
    await expect(app.pool.query("update signet_users set email = 'x'")).rejects.toThrow();

    const { of } = await examine(mirror());

    expect(of("mirror.foreign_writes")).toMatchObject({
      verdict: "warn",
      text: expect.stringMatching(/tried to write \d+ times/),
    });
  });

  test("fails where there is no mirror, or no database", async () => {
    const noTable = await examine([...mirror(), "--table", "people"]);
    const noDatabase = await examine(["--mirror", "postgres://someone:pass-of-x@127.0.0.1:1/x"]);

    expect(noTable.of("mirror.table")).toMatchObject({ verdict: "fail" });
    expect(noDatabase.of("mirror.database")).toMatchObject({ verdict: "fail" });
    expect(JSON.stringify(noDatabase.of("mirror.database"))).not.toContain("pass-of-x");
  });
});

describe("a mirror that nobody feeds", () => {
  test("is found to differ after a hand edit, to lag after a Change, and to be stale", async () => {
    const { users } = home.site.backend;
    await using other = await openAppDatabase();
    const words = ["--mirror", other.url];
    const feeding = startSignet(["sync", "mirror", "--to", other.url], environment());
    await feeding.output.waitFor(/^users: live$/m, "Users were live");
    await until(async () => (await other.users()).size > 0, WAIT_MS_MAX);
    await feeding.stop();

    await other.pool.query(
      `begin; set local signet.mirror = 'on'; delete from signet_users; commit`,
    );
    await other.pool.query("delete from signet_revocations_state");
    const edited = await examine(words);
    await users.createUser({ email: uniqueEmail() });
    const behind = await examine(words);

    expect(edited.of("mirror.sums")).toMatchObject({
      verdict: "fail",
      text: expect.stringMatching(/^it is not equal: 0 Users here, \d+ at Signet$/),
      advice: expect.stringContaining("signet sync reconcile --repair"),
    });
    expect(edited.of("mirror.revocations")).toMatchObject({ verdict: "fail" });
    expect(behind.of("mirror.sums")).toMatchObject({
      verdict: "warn",
      text: expect.stringMatching(/Changes behind/),
    });
  });
});

/** A server that answers every request in the same way. */
async function openServer(answer: (response: ServerResponse) => void) {
  const server = createServer((_, response) => answer(response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function alter(what: string): Promise<void> {
  await app.pool.query(`alter table signet_users ${what}`);
}

async function triggerDefinition(): Promise<string> {
  const { rows } = await app.pool.query<{ definition: string }>(
    `select pg_get_triggerdef(oid) as definition from pg_trigger
      where tgname = 'signet_guard_update'`,
  );
  return rows[0]?.definition ?? "";
}
