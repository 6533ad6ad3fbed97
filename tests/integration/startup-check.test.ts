import { afterAll, describe, expect, test } from "vitest";
import { createDatabase } from "../../src/store/database.ts";
import { checkDatabase, DatabaseUnfitError } from "../../src/store/startup-check.ts";
import { openTestDatabase, runAsAdmin } from "../support/database.ts";
import { silentLog } from "../support/postgres.ts";
import { rejection } from "../support/waiting.ts";

const own = await openTestDatabase();
afterAll(() => own[Symbol.asyncDispose]());

/** Makes the damage, checks as the application role, and repairs the damage. */
async function problemsAfter(damage: string, repair: string): Promise<readonly string[]> {
  await runAsAdmin(own.adminUrl, damage);
  try {
    return await problemsOf(own.appUrl);
  } finally {
    await runAsAdmin(own.adminUrl, repair);
  }
}

async function problemsOf(url: string): Promise<readonly string[]> {
  await using db = createDatabase({ url, log: silentLog });
  const error = await rejection(checkDatabase(db));
  expect(error).toBeInstanceOf(DatabaseUnfitError);
  return (error as DatabaseUnfitError).problems;
}

describe("the start-up check", () => {
  test("passes on a database that was migrated", async () => {
    await expect(checkDatabase(own.db)).resolves.toBeUndefined();
  });

  test("refuses a superuser, and names everything that is wrong with it", async () => {
    const problems = await problemsOf(own.adminUrl);

    expect(problems).toContain("role postgres is a superuser");
    expect(problems).toContain("role postgres bypasses row-level security");
    expect(problems).toContain("role postgres may become signet_owner");
    expect(problems).toContain("role postgres has no statement_timeout");
  });

  test("refuses the migrator, which may become the owner", async () => {
    const problems = await problemsOf(own.ownerUrl);

    expect(problems).toContain("role signet_migrator may become signet_owner");
  });

  test("refuses a role that owns a table", async () => {
    const problems = await problemsAfter(
      "create table signet.mine (id integer); alter table signet.mine owner to signet_app",
      "drop table signet.mine",
    );

    expect(problems).toContain("role signet_app owns table signet.mine");
  });

  test("refuses a role that may become the system role", async () => {
    const problems = await problemsAfter(
      "grant signet_system to signet_app",
      "revoke signet_system from signet_app",
    );

    expect(problems).toEqual(["role signet_app may become signet_system"]);
  });

  test("refuses a table whose row-level security is off, unforced or without policy", async () => {
    const problems = await problemsAfter(
      "create table signet.leaky (site_id uuid)",
      "drop table signet.leaky",
    );

    expect(problems).toEqual([
      "table signet.leaky does not force row-level security on its owner",
      "table signet.leaky has no policy",
      "table signet.leaky has row-level security switched off",
    ]);
  });

  test("refuses row-level security that was switched off on a table of the schema", async () => {
    const problems = await problemsAfter(
      "alter table signet.sites disable row level security",
      "alter table signet.sites enable row level security",
    );

    expect(problems).toEqual(["table signet.sites has row-level security switched off"]);
  });

  test("refuses a security definer function that is unpinned or of another owner", async () => {
    const problems = await problemsAfter(
      "create function signet.loose() returns integer language sql security definer return 1",
      "drop function signet.loose()",
    );

    expect(problems).toEqual([
      "function signet.loose() runs as its owner without a pinned search path",
      "function signet.loose() runs as its owner, which is not signet_system",
    ]);
  });

  test("refuses a view that reads with the rights of its owner", async () => {
    const problems = await problemsAfter(
      `create view signet.open as select 1 as one;
       create view signet.closed with (security_invoker) as select 1 as one`,
      "drop view signet.open; drop view signet.closed",
    );

    expect(problems).toEqual(["view signet.open reads with the rights of its owner"]);
  });

  test("refuses a schema that is older or newer than the code", async () => {
    const older = await problemsAfter(
      "create table public.kept as select * from signet.migrations order by id desc limit 1; " +
        "delete from signet.migrations where id = (select max(id) from signet.migrations)",
      "insert into signet.migrations select * from public.kept; drop table public.kept",
    );
    const newer = await problemsAfter(
      "insert into signet.migrations (name, run_on) values ('9999_future', now())",
      "delete from signet.migrations where name = '9999_future'",
    );

    expect(older).toEqual([expect.stringMatching(/^migration \d{4}_\w+ is missing/)]);
    expect(newer).toEqual([expect.stringContaining("9999_future is of a newer Signet")]);
  });

  test("refuses a clock that is far from this machine's, on either side", async () => {
    const withClock = (offMs: number) =>
      checkDatabase(own.db, { clock: { now: () => new Date(Date.now() + offMs) } });

    await expect(withClock(30_000)).resolves.toBeUndefined();
    await expect(withClock(3_600_000)).rejects.toThrow(/its clock is 3(599|600) s behind this/);
    await expect(withClock(-3_600_000)).rejects.toThrow(/its clock is 36\d\d s ahead of this/);
    await expect(withClock(3_600_000)).rejects.toThrow("=> set both clocks by NTP");
  });
});
