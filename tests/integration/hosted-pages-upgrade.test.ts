import { readFileSync } from "node:fs";
import { Client } from "pg";
import { expect, test } from "vitest";
import { createBareSite } from "../support/bare-site.ts";
import { openTestDatabase } from "../support/database.ts";

const MIGRATION = readFileSync("src/store/migrations/0042_hosted_pages.sql", "utf8");

test("a Site from before the hosted pages keeps the links that its mails had", async () => {
  await using database = await openTestDatabase();
  const [plain, deep] = [await createBareSite(database.db), await createBareSite(database.db)];
  const admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
  await admin.query("set role signet_owner");
  await admin.query("alter table signet.sites no force row level security");
  await admin.query("update signet.sites set frontend_url = $2 where id = $1", [
    deep,
    "https://bare.example.com/app/",
  ]);
  await admin.query("alter table signet.sites force row level security");
  for (const name of ["verify_email_url", "reset_password_url", "accept_invitation_url"]) {
    await admin.query(`alter table signet.sites drop column ${name}`);
  }
  await admin.query("alter table signet.sites drop column confirm_email_change_url");
  await admin.query("alter table signet.sites drop column accent_color");

  await admin.query(MIGRATION);

  await admin.query("reset role");
  const { rows } = await admin.query(
    "select verify_email_url, reset_password_url, accept_invitation_url, " +
      "confirm_email_change_url, accent_color from signet.sites where id = any($1) order by id",
    [[plain, deep]],
  );
  const { rows: forced } = await admin.query(
    "select relforcerowsecurity as forced from pg_class where oid = 'signet.sites'::regclass",
  );
  await admin.end();
  const pagesBelow = (frontEnd: string) => ({
    verify_email_url: `${frontEnd}/verify-email`,
    reset_password_url: `${frontEnd}/reset-password`,
    accept_invitation_url: `${frontEnd}/accept-invitation`,
    confirm_email_change_url: `${frontEnd}/confirm-email-change`,
    accent_color: "",
  });
  expect(rows).toEqual([
    pagesBelow("https://bare.example.com"),
    pagesBelow("https://bare.example.com/app"),
  ]);
  expect(forced).toEqual([{ forced: true }]);
});
