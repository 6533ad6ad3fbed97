import { parseEnv } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createDatabase } from "../../src/store/database.ts";
import type { EmbeddedPostgres } from "../../src/store/embedded-postgres.ts";
import { ensureDatabase } from "../../src/store/roles.ts";
import { checkDatabase } from "../../src/store/startup-check.ts";
import { silentLog, startTestPostgres } from "../support/postgres.ts";
import { runSignet } from "../support/programs.ts";

let postgres: EmbeddedPostgres;
let adminUrl = "";

beforeAll(async () => {
  // A server of its own: roles belong to a server, and this changes their passwords.
  postgres = await startTestPostgres();
  adminUrl = await ensureDatabase(postgres.adminUrl, "signet");
});

afterAll(() => postgres.stop());

describe("signet migrate", () => {
  test("prepares an empty database in two commands, so that a Signet can serve on it", async () => {
    const prepared = await runSignet(["migrate", "--init"], { DATABASE_ADMIN_URL: adminUrl });
    const urls = parseEnv(prepared.stdout) as Record<string, string>;

    const migrated = await runSignet(["migrate"], urls);
    const again = await runSignet(["migrate"], urls);

    expect(Object.keys(urls).toSorted()).toEqual([
      "DATABASE_DIRECT_URL",
      "DATABASE_OWNER_URL",
      "DATABASE_URL",
    ]);
    expect(migrated).toMatchObject({ exitCode: 0, stdout: "The schema is up to date.\n" });
    expect(migrated.stderr).toContain("migration applied");
    expect(again).toMatchObject({ exitCode: 0, stderr: "" });
    await expectToServe(urls.DATABASE_URL);
  });

  test("gives the roles the passwords of URLs that are set, and prints none", async () => {
    const urls = {
      DATABASE_URL: withRole("signet_app", "p%40ss-of-app"),
      DATABASE_OWNER_URL: withRole("signet_migrator", "pass-of-migrator"),
    };

    const prepared = await runSignet(["migrate", "--init"], {
      ...urls,
      DATABASE_ADMIN_URL: adminUrl,
    });
    const migrated = await runSignet(["migrate"], urls);

    expect(prepared).toMatchObject({ exitCode: 0, stdout: "" });
    expect(prepared.stderr).not.toContain("pass");
    expect(migrated.exitCode).toBe(0);
    await expectToServe(urls.DATABASE_URL);
  });

  test.each([
    ["no URL", ["migrate"], {}, 2, "DATABASE_OWNER_URL is not set"],
    ["no administrator", ["migrate", "--init"], {}, 2, "DATABASE_ADMIN_URL is not set"],
    [
      "no URL at all",
      ["migrate"],
      { DATABASE_OWNER_URL: "s3cret" },
      2,
      "must be a postgres:// URL",
    ],
    [
      "a server that is away",
      ["migrate"],
      { DATABASE_OWNER_URL: "postgres://x:s3cret@127.0.0.1:1/x" },
      1,
      "ECONNREFUSED",
    ],
  ])("says what is wrong, and no password: %s", async (_, words, environment, code, message) => {
    const { exitCode, stderr } = await runSignet(words, environment);

    expect(exitCode).toBe(code);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("s3cret");
  });

  test("refuses a URL that names another role than the one that serves", async () => {
    const environment = { DATABASE_ADMIN_URL: adminUrl, DATABASE_URL: withRole("root", "secret") };

    const { exitCode, stderr } = await runSignet(["migrate", "--init"], environment);

    expect(exitCode).toBe(2);
    expect(stderr).toBe("signet: DATABASE_URL must be of the role signet_app\n");
  });
});

function withRole(name: string, password: string): string {
  const url = new URL(adminUrl);
  url.username = name;
  url.password = password;
  return url.href;
}

/** Runs the check that a Signet makes at its start. */
async function expectToServe(url = ""): Promise<void> {
  const db = createDatabase({ url, poolMax: 2, log: silentLog });
  try {
    await checkDatabase(db);
  } finally {
    await db.close();
  }
}
