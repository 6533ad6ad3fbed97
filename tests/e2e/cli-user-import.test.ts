import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as bcrypt from "bcrypt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createKey, createSite, grpcClients, logIn } from "../support/builders.ts";
import { exportFiles, FIREBASE_CONFIG } from "../support/export-files.ts";
import { runSignet } from "../support/programs.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

let running: SiteOnService;
let folder: string;

beforeAll(async () => {
  running = await openSiteOnService();
  folder = await mkdtemp(join(tmpdir(), "signet-import-"));
});

afterAll(async () => {
  await running[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const signet = (...words: string[]) =>
  runSignet(["user", ...words], {
    SIGNET_URL: running.service.url,
    SIGNET_KEY: running.service.operatorKey,
  });

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

describe("signet user import", () => {
  test.each([["auth0"], ["keycloak"], ["firebase"], ["supabase"]])(
    "reads what %s exports: people sign in, a bad record stops nothing",
    async (format) => {
      const site = await createSite(running.operator);
      const keyed = grpcClients(running.service.url, await createKey(running.operator, site));
      const file = (await exportFiles())[format];
      const path = await write(file?.name ?? "", file?.text ?? "");
      const config = await write("hash.txt", FIREBASE_CONFIG);
      const errors = join(folder, `${format}.errors`);
      const more = format === "firebase" ? ["--firebase-config", config] : [];
      const words = ["import", path, "--site", site, "--format", format, "--errors", errors];

      const { exitCode, stdout, stderr } = await signet(...words, ...more);

      expect(exitCode).toBe(1);
      expect(stdout).toMatch(/^\d created, \d updated, 0 unchanged, 1 refused\n$/);
      expect(stderr).toMatch(/^line \d+: (email|credentials) /m);
      const refused = (await readFile(errors, "utf8")).trimEnd().split("\n");
      expect(refused).toHaveLength(1);
      expect(JSON.parse(refused[0] ?? "")).toMatchObject({
        line: expect.any(Number),
        field: expect.stringMatching(/email|credentials/),
        record: expect.anything(),
      });
      expect((await stat(errors)).mode & 0o077).toBe(0);
      for (const { email, password } of file?.people ?? []) await logIn(keyed, email, password);
      const { users } = await keyed.users.listUsers({});
      expect(users.map(({ origin }) => origin?.source)).toEqual(users.map(() => format));
      expect(users.flatMap(({ roles }) => roles)).toEqual(users.map(() => "user"));
    },
  );

  test("names a field that no import has", async () => {
    const site = await createSite(running.operator);
    const path = await write("typo.ndjson", '{"email": "ada@example.com", "emailVerifed": true}\n');

    const { exitCode, stderr } = await signet("import", path, "--site", site);

    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: "line 1: emailVerifed is no field of an import\nsignet: 1 row was refused\n",
    });
  });

  test("says so where a file has no Users, as one of another system", async () => {
    const site = await createSite(running.operator);
    const path = await write("other.json", '{"clients": []}');

    const { stdout, stderr } = await signet(
      ...["import", path, "--site", site, "--format", "keycloak"],
    );

    expect(stdout).toBe("0 created, 0 updated, 0 unchanged, 0 refused\n");
    expect(stderr).toMatch(/^no User was found: .+\n$/);
  });

  test("reads CSV, names line and field, and goes on from a line", async () => {
    const site = await createSite(running.operator);
    const path = await write(
      "users.csv",
      [
        "external_id,email,email_verified,display_name,roles,metadata",
        'a1,ada@example.com,true,"Ada, ""Countess""","user staff","{""plan"":""gold""}"',
        "a2,eve@example.com,maybe,Eve,,",
        "a3,too,few",
        'a4,bob@example.com,,"Bob\nB.",,',
        "a5,nowhere,,,,",
        "a6,joe@example.com,false,Joe,,",
        "",
      ].join("\n"),
    );

    const dry = await signet("import", path, "--site", site, "--dry-run");
    const { stdout, stderr, exitCode } = await signet("import", path, "--site", site);
    const again = await signet("import", path, "--site", site, "--from-line", "5", "--json");

    expect(dry.stdout).toBe("would be: 2 created, 0 updated, 0 unchanged, 4 refused\n");
    expect(stdout).toBe("2 created, 0 updated, 0 unchanged, 4 refused\n");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("line 3: email_verified must be true or false");
    expect(stderr).toContain("line 4: has 3 values for 6 columns");
    expect(stderr).toContain("line 5: display_name must not have control characters");
    expect(stderr).toContain("line 7: email must be an e-mail address (INVALID_FIELD)");
    expect(JSON.parse(again.stdout)).toMatchObject({ unchanged: 1, refused: 2 });
  });

  test("imports what was exported, hashes included, into another Site", async () => {
    const [from, to] = [await createSite(running.operator), await createSite(running.operator)];
    const rows = await Promise.all(
      ["one", "two"].map(async (name) => ({
        email: `${name}@example.com`,
        emailVerified: true,
        username: name,
        disabled: name === "two",
        metadata: { name },
        passwordHash: { encoded: await bcrypt.hash(`password of ${name}`, 4) },
      })),
    );
    const lines = rows.map((row) => JSON.stringify(row)).join("\n");
    const path = await write("rows.ndjson", lines);
    const out = join(folder, "out.ndjson");

    const imported = await signet("import", path, "--site", from, "--source", "shop");
    const exported = await signet("export", "--site", from, "--out", out, "--password-hashes");
    const moved = await signet("import", out, "--site", to);

    expect(imported).toMatchObject({ exitCode: 0 });
    expect(exported).toMatchObject({ exitCode: 0, stdout: "2 exported\n" });
    expect(moved.stdout).toBe("2 created, 0 updated, 0 unchanged, 0 refused\n");
    const keyed = grpcClients(running.service.url, await createKey(running.operator, to));
    await logIn(keyed, "one@example.com", "password of one");
    const { users } = await keyed.users.listUsers({});
    expect(users.map(({ username, metadata }) => ({ username, metadata }))).toEqual(
      expect.arrayContaining([
        { username: "one", metadata: { name: "one" } },
        { username: "two", metadata: { name: "two" } },
      ]),
    );
  });

  test("imports the CSV that was exported, whatever people have called themselves", async () => {
    const [from, to] = [await createSite(running.operator), await createSite(running.operator)];
    const people = [
      { email: "one@example.com", displayName: '=HYPERLINK("https://evil.example","x"), Ada' },
      { email: "two@example.com", displayName: '"Ada" 𝔄', metadata: { note: 'a,"b"\n\r\nc' } },
      { username: "three", externalId: "+4711", roles: ["user", "editor"], disabled: true },
    ];
    const path = await write("people.ndjson", people.map((row) => JSON.stringify(row)).join("\n"));
    await signet("import", path, "--site", from);
    const [out, sheet] = [join(folder, "out.csv"), join(folder, "sheet.csv")];

    const exported = await signet("export", "--site", from, "--out", out);
    const moved = await signet("import", out, "--site", to);
    const guarded = await signet("export", "--site", from, "--out", sheet, "--guard-formulas");
    const hashes = await signet("export", "--site", from, "--out", out, "--password-hashes");

    expect(exported).toMatchObject({ exitCode: 0, stdout: "3 exported\n" });
    expect(moved.stdout).toBe("3 created, 0 updated, 0 unchanged, 0 refused\n");
    expect(await publicFieldsOf(to)).toEqual(await publicFieldsOf(from));
    expect(guarded.exitCode).toBe(0);
    expect(await readFile(sheet, "utf8")).toContain(`"'=HYPERLINK(""https://evil.example""`);
    expect(hashes).toMatchObject({ exitCode: 2, stdout: "" });
  });

  test("ends with code 2 where it is called wrongly, and with 1 where nobody answers", async () => {
    const path = await write("empty.ndjson", "");

    const missing = await signet("import", join(folder, "none"), "--site", "x");
    const bare = await signet("import", path, "--format", "firebase");
    const refused = await signet("import", path, "--site", crypto.randomUUID());

    expect([missing.exitCode, bare.exitCode, refused.exitCode]).toEqual([2, 2, 1]);
    expect(refused.stderr).toContain("SITE_NOT_FOUND");
  });
});

/** Lists what an export has of each User. */
async function publicFieldsOf(siteId: string) {
  const { users } = await running.operator.users.listUsers({ siteId });
  return users.map((user) => ({
    ...user,
    siteId: "",
    id: "",
    version: 0n,
    updateTime: undefined,
    origin: undefined,
  }));
}
