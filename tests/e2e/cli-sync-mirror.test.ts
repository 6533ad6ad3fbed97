import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AppDatabase, openAppDatabase } from "../support/app-database.ts";
import { grpcClients, openSite, signUp, type TestSite, uniqueEmail } from "../support/builders.ts";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { type RunningProgram, runSignet, startSignet } from "../support/programs.ts";
import {
  createServiceKeys,
  type ServiceOptions,
  startService,
  type TestService,
} from "../support/service.ts";
import { until } from "../support/waiting.ts";

/** What takes seconds takes longer on a busy machine. */
const WAIT_MS_MAX = 40_000;

let database: TestDatabase;
let options: ServiceOptions;
let service: TestService;

beforeAll(async () => {
  database = await openTestDatabase();
  options = { databaseUrl: database.appUrl, keys: createServiceKeys() };
  service = await startService(options);
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

describe("signet sync mirror", () => {
  test("keeps Users and Revocations beside an app that has nothing but SQL", async () => {
    const site = await openNewSite();
    await using app = await openAppDatabase();
    const [before, person] = [await signUp(site.backend), await signUp(site.backend)];
    const program = mirror(site, app);
    await untilLive(program);
    const answers = [await app.check(before), await app.check(person)];

    await site.backend.auth.logout({ refreshToken: before.refreshToken });
    await site.backend.users.deleteUser({ userId: person.userId });
    const { user: added } = await site.backend.users.createUser({ email: uniqueEmail() });
    await until(async () => (await app.check(before)) === "revoked", WAIT_MS_MAX);
    await until(async () => (await app.check(person)) === "revoked", WAIT_MS_MAX);
    await untilEqual(site, app);
    const exitCode = await program.stop("SIGINT");

    expect(answers).toEqual(["good", "good"]);
    expect((await app.users()).has(added?.id ?? "")).toBe(true);
    expect(exitCode).toBe(0);
    expect(program.stdout()).not.toContain(site.key);
  });

  test("fills the tables once, and ends", async () => {
    const site = await openNewSite();
    await using app = await openAppDatabase();
    const person = await signUp(site.backend);
    await site.backend.auth.logout({ refreshToken: person.refreshToken });

    const result = await runSignet(words(app, "--once"), environment(site));

    expect(result).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/users: 1 of 1/) });
    expect([...(await app.users()).keys()]).toEqual([person.userId]);
    expect(await app.check(person)).toBe("revoked");
  });

  test("keeps no row of a deleted User where that is wanted, in tables of any name", async () => {
    const site = await openNewSite();
    await using app = await openAppDatabase();
    await app.pool.query("create schema auth");
    const tables = ["--table", "auth.people", "--revocations-table", "auth.ended"];
    const { user } = await site.backend.users.createUser({ email: uniqueEmail() });
    const run = () =>
      runSignet(words(app, ...tables, "--once", "--tombstones", "delete"), environment(site));

    const first = await run();
    const filled = await app.users("auth.people");
    await site.backend.users.deleteUser({ userId: user?.id ?? "" });
    const second = await run();
    const { rows } = await app.pool.query("select id from auth.people");

    expect([first, second]).toMatchObject([{ exitCode: 0 }, { exitCode: 0 }]);
    expect([...filled.keys()]).toEqual([user?.id]);
    expect(rows).toEqual([]);
  });

  test("tells programs what it does by a line of JSON for each status", async () => {
    const site = await openNewSite();
    await using app = await openAppDatabase();

    const { stdout } = await runSignet(words(app, "--once", "--json"), environment(site));
    const lines = stdout.trimEnd().split("\n");
    const statuses = lines.map((line) => JSON.parse(line) as Record<string, unknown>);

    expect(statuses).toContainEqual({ part: "users", type: "connecting" });
    expect(statuses).toContainEqual({ part: "revocations", type: "live" });
  });
});

describe("a mirror that is killed, with its Signet, amid writes", () => {
  test("ends up equal, and refuses what was revoked meanwhile", async () => {
    const site = await openNewSite();
    await using app = await openAppDatabase();
    const person = await signUp(site.backend);
    const writes = { count: 0 };

    for (let round = 0; round < 3; round++) {
      const program = mirror(site, app);
      const { users } = grpcClients(service.url, service.operatorKey);
      const writing = Array.from({ length: 4 }, async () => {
        for (;;) {
          await users.createUser({ siteId: site.siteId, email: uniqueEmail() });
          writes.count++;
        }
      });
      const ended = Promise.allSettled(writing);
      const goal = writes.count + 50;
      await until(() => writes.count >= goal, WAIT_MS_MAX);
      await program.stop("SIGKILL");
      if (round === 1) await site.backend.auth.logout({ refreshToken: person.refreshToken });
      await service.stop("SIGKILL");
      await ended;
      service = await startService({ ...options, port: service.port });
    }
    const program = mirror(site, app);
    await untilEqual(site, app);
    await until(async () => (await app.check(person)) === "revoked", WAIT_MS_MAX);
    await program.stop();

    expect((await app.users()).size).toBeGreaterThanOrEqual(150);
  });

  test("goes on by itself when Signet and the connections to the database come back", async () => {
    const site = await openNewSite();
    await using app = await openAppDatabase();
    const program = mirror(site, app);
    await untilLive(program);

    await service.stop("SIGKILL");
    await program.output.waitFor(/users: .*; again in/, "it has noticed");
    await app.terminate();
    service = await startService({ ...options, port: service.port });
    const person = await signUp(site.backend);
    await site.backend.auth.logout({ refreshToken: person.refreshToken });
    await untilEqual(site, app);
    await until(async () => (await app.check(person)) === "revoked", WAIT_MS_MAX);

    expect(await program.stop()).toBe(0);
  });
});

describe("two mirrors of one place", () => {
  test("share the work: one leads, and the other follows it within seconds", async () => {
    const site = await openNewSite();
    await using app = await openAppDatabase();
    const first = mirror(site, app);
    await untilLive(first);
    const second = mirror(site, app);
    await second.output.waitFor(/^users: standby/m, "it stands by for Users");
    await second.output.waitFor(/^revocations: standby/m, "it stands by for Revocations");

    await first.stop("SIGKILL");
    await untilLive(second);
    await site.backend.users.createUser({ email: uniqueEmail() });

    await untilEqual(site, app);
    await second.stop();
  });
});

describe("what cannot work", () => {
  const nowhere = "postgres://someone:pass-of-someone@127.0.0.1:1/nothing";

  test.each([
    ["no database", ["--to", nowhere], 1, "ECONNREFUSED"],
    ["another address", ["--to", "mysql://someone:pass-of-someone@localhost/x"], 2, "postgres://"],
    ["nothing to do", ["--to", nowhere, "--no-users", "--no-revocations"], 2, "nothing is left"],
  ])("is refused without a word of the password: %s", async (_, given, exitCode, message) => {
    const { key } = await openNewSite();

    const result = await runSignet(["sync", "mirror", ...given], {
      SIGNET_URL: service.url,
      SIGNET_KEY: key,
    });

    expect(result).toMatchObject({ exitCode, stderr: expect.stringContaining(message) });
    expect(result.stderr).not.toContain("pass-of-someone");
  });

  test("is a key that may not sync: the command ends and says so", async () => {
    await using app = await openAppDatabase();

    const { exitCode, stderr } = await runSignet(words(app), {
      SIGNET_URL: service.url,
      SIGNET_KEY: "sgn_site_nonsense",
    });

    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("CREDENTIAL_INVALID"),
    });
  });

  test("is a Signet that is away, where the tables are to be filled once", async () => {
    await using app = await openAppDatabase();

    const { exitCode, stderr } = await runSignet(words(app, "--once"), {
      SIGNET_URL: "http://127.0.0.1:9",
      SIGNET_KEY: "sgn_site_x",
    });

    expect(exitCode).toBe(1);
    expect(stderr).toContain("no Signet answers");
  });
});

function openNewSite(): Promise<TestSite> {
  return openSite(createGrpcTransport({ baseUrl: service.url }), service.operatorKey);
}

function words({ url }: AppDatabase, ...more: readonly string[]): string[] {
  return ["sync", "mirror", "--to", url, ...more];
}

function environment({ key }: TestSite) {
  return { SIGNET_URL: service.url, SIGNET_KEY: key };
}

function mirror(site: TestSite, app: AppDatabase, ...more: readonly string[]): RunningProgram {
  return startSignet(words(app, ...more), environment(site));
}

async function untilLive({ output }: RunningProgram): Promise<void> {
  await output.waitFor(/^users: live$/m, "Users were live");
  await output.waitFor(/^revocations: live$/m, "Revocations were live");
}

/** Waits until the app has the Users that Signet has, each in its version. */
async function untilEqual({ siteId }: TestSite, app: AppDatabase): Promise<void> {
  await until(async () => {
    const rows = await runAsAdmin<{ id: string; version: string }>(
      database.adminUrl,
      `select id, version from signet.users where site_id = '${siteId}' and state <> 'deleted'`,
    );
    const present = await app.users();
    return (
      rows.length > 0 &&
      rows.length === present.size &&
      rows.every(({ id, version }) => present.get(id) === version)
    );
  }, WAIT_MS_MAX);
}
