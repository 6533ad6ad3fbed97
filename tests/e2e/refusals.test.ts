import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestDatabase, runAsAdmin, type TestDatabase } from "../support/database.ts";
import { createServiceKeys, freePort, runService } from "../support/service.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database[Symbol.asyncDispose]());

type Variables = Readonly<Record<string, string>>;

describe("a secret that everybody knows", () => {
  test("is refused at once, naming the setting and the remedy, and not the value", async () => {
    const { exitCode, stderr, stdout } = await refusalOf({
      DATABASE_URL: "postgres://signet_app:ChangeMe@127.0.0.1:1/signet",
    });

    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("DATABASE_URL has a password that everybody knows: make one by");
    expect(stderr).not.toContain("ChangeMe");
  });
});

const NEWER = "insert into signet.migrations (name, run_on) values ('9999_future', now())";
const NOT_NEWER = "delete from signet.migrations where name = '9999_future'";

/** What is wrong with the database, how it is brought about and undone, and what is said of it. */
const DAMAGES: readonly (readonly [string, string, string, readonly string[]])[] = [
  [
    "row-level security that is off on a table",
    "alter table signet.users disable row level security",
    "alter table signet.users enable row level security",
    ["table signet.users has row-level security switched off", "undo that change"],
  ],
  [
    "a role that owns a table",
    "create table signet.mine (id integer); alter table signet.mine owner to signet_app",
    "drop table signet.mine",
    ["role signet_app owns table signet.mine", "undo that change"],
  ],
  [
    "an older schema",
    `create table public.kept as select * from signet.migrations order by id desc limit 1;
     delete from signet.migrations where id = (select max(id) from signet.migrations)`,
    "insert into signet.migrations select * from public.kept; drop table public.kept",
    ["is missing: run `signet migrate`", "DATABASE_OWNER_URL"],
  ],
  [
    "a newer schema",
    NEWER,
    NOT_NEWER,
    ["migration 9999_future is of a newer Signet: run that version or a later one"],
  ],
];

describe("a database that is not fit to serve", () => {
  test("is refused within seconds: a superuser, and the migrator past the pooler", async () => {
    const superuser = await refusalOf({ DATABASE_URL: database.adminUrl });
    const migrator = await refusalOf({ DATABASE_DIRECT_URL: database.ownerUrl });

    expectRefused(superuser, [
      "role postgres is a superuser",
      "role postgres bypasses row-level security",
      "=> let DATABASE_URL be that of signet_app, which `signet migrate --init` prepares",
    ]);
    expectRefused(migrator, [
      "role signet_migrator may become signet_owner",
      "=> let DATABASE_DIRECT_URL be that of signet_app",
    ]);
  });

  test("is refused where it is newer, though this Signet may migrate it", async () => {
    await runAsAdmin(database.adminUrl, NEWER);
    try {
      const refusal = await refusalOf({ DATABASE_OWNER_URL: database.ownerUrl });

      expect(refusal.exitCode).toBe(1);
      expect(refusal.stderr).toContain("(9999_future): run that version or a later one");
    } finally {
      await runAsAdmin(database.adminUrl, NOT_NEWER);
    }
  });

  test.each(DAMAGES)("is refused within seconds: %s", async (_name, damage, repair, texts) => {
    await runAsAdmin(database.adminUrl, damage);
    try {
      expectRefused(await refusalOf({}), texts);
    } finally {
      await runAsAdmin(database.adminUrl, repair);
    }
  });
});

type Refusal = Awaited<ReturnType<typeof runService>>;

async function refusalOf(variables: Variables): Promise<Refusal> {
  const keys = createServiceKeys();
  return await runService({
    PORT: `${await freePort()}`,
    DATABASE_URL: database.appUrl,
    SIGNET_OPERATOR_KEY: keys.operatorKey,
    SIGNET_MASTER_KEYS: keys.masterKeys,
    ...variables,
  });
}

function expectRefused({ exitCode, stderr }: Refusal, texts: readonly string[]): void {
  expect(exitCode).toBe(1);
  expect(stderr).toContain("Signet cannot start: the database is not fit to serve:");
  for (const text of texts) expect(stderr).toContain(text);
}
