import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AppDatabase, openAppDatabase } from "../support/app-database.ts";
import { uniqueEmail } from "../support/builders.ts";
import { type RunningProgram, runSignet, startSignet } from "../support/programs.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

const USERS = 20;

let home: SiteOnService;
let app: AppDatabase;
let program: RunningProgram;

beforeAll(async () => {
  [home, app] = await Promise.all([openSiteOnService(), openAppDatabase()]);
  const { users } = home.site.backend;
  for (let n = 0; n < USERS; n++) await users.createUser({ email: uniqueEmail() });
  program = startSignet(["sync", "mirror", "--to", app.url, "--no-revocations"], environment());
  await program.output.waitFor(/^users: live$/m, "it was live");
});

afterAll(async () => {
  await program.stop();
  await Promise.all([home, app].map((each) => each[Symbol.asyncDispose]()));
});

function environment() {
  return { SIGNET_URL: home.service.url, SIGNET_KEY: home.site.key };
}

function reconcile(...words: readonly string[]) {
  return runSignet(["sync", "reconcile", "--to", app.url, ...words], environment());
}

/** Writes as nobody but the mirror may. */
async function meddle(statement: string): Promise<void> {
  await app.pool.query(`begin; set local signet.mirror = 'on'; ${statement}; commit`);
}

describe("signet sync reconcile", () => {
  test("finds no difference where there is none", async () => {
    const { exitCode, stdout, stderr } = await reconcile();

    expect({ exitCode, stderr: stderr.includes("differ") }).toEqual({ exitCode: 0, stderr: false });
    expect(stdout).toMatch(/^Missing +0$/m);
    expect(stdout).toMatch(/^Exchanged +\d+ messages, \d+ bytes$/m);
  });

  test("finds rows that were altered by hand, and repairs them when told to", async () => {
    const [edited, dropped] = [...(await app.users()).keys()];
    await program.stop(); // It might find and repair the same by itself.
    await meddle(
      `update signet_users set email = 'x@example.com' where id = '${edited}';
       delete from signet_users where id = '${dropped}'`,
    );

    const found = await reconcile("--deep", "--json");
    const doctor = await runSignet(["doctor", "--mirror", app.url, "--deep"], environment());
    const repaired = await reconcile("--deep", "--repair", "--json");
    const after = await reconcile("--deep", "--json");

    expect(found).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("2 Users differ") });
    expect(JSON.parse(found.stdout)).toMatchObject({ missing: 1, altered: 1, repaired: 0 });
    expect(doctor).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(`fail +mirror.content +altered by somebody else: ${edited}`),
    });
    expect(repaired.exitCode).toBe(0);
    expect(JSON.parse(repaired.stdout)).toMatchObject({ missing: 1, altered: 1, repaired: 2 });
    expect(JSON.parse(after.stdout)).toMatchObject({ missing: 0, stale: 0, extra: 0, altered: 0 });
    expect((await app.users()).size).toBe(USERS);
  });

  test("compares nothing where there is no mirror, and creates none", async () => {
    const { exitCode, stderr } = await reconcile("--table", "people");
    const { rows } = await app.pool.query("select to_regclass('people') as found");

    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: "signet: there is no mirror people: signet sync mirror makes one\n",
    });
    expect(rows).toEqual([{ found: null }]);
  });
});
