import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createKey, grpcClients, logIn } from "../support/builders.ts";
import { openTestDatabase, type TestDatabase } from "../support/database.ts";
import { openGuide } from "../support/guide.ts";
import { mailTo, printedMails } from "../support/mailbox.ts";
import { openTestFolder } from "../support/postgres.ts";
import { startService, type TestService } from "../support/service.ts";
import { pathWithSignet } from "../support/signet-command.ts";

/** As the guide has her, with the password that her hash there is of. */
const GRACE = { email: "grace@example.com", password: "seven brisk herons wade" };

let folder: string;
let database: TestDatabase;
let service: TestService;

beforeAll(async () => {
  [folder, database] = await Promise.all([openTestFolder(), openTestDatabase()]);
  service = await startService({ databaseUrl: database.appUrl });
});

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

test("the lines of from-aegis.md work in their order", async () => {
  const { url, operatorKey } = service;
  const environment = { PATH: await pathWithSignet(), SIGNET_URL: url, SIGNET_KEY: operatorKey };
  const guide = openGuide("from-aegis", environment, { "users.csv": join(folder, "users.csv") });

  const { site } = (await guide.runNext()) as { readonly site?: { readonly id: string } };
  const values = { "site id": site?.id ?? "" };
  const updated = await guide.runNext(values);
  const sites = await guide.runNext();
  const found = await guide.runNext();
  const imported = await guide.runNext(values);
  const invited = await guide.runNext(values);
  const created = await guide.runNext(values);
  await guide.runNext(values);
  const listed = await guide.runNext(values);
  await guide.runNext(values);
  const { token } = await mailTo(() => printedMails(service), "ada@example.com");
  const verified = await guide.runNext({ ...values, "token of the mail": token });
  const session = await guide.runNext(values);
  const webhook = await guide.runNext(values);

  const sender = { address: "hello@shop.example.com", name: "Support" };
  expect(updated.site).toMatchObject({ mailSender: sender, name: "My shop" });
  expect(sites).toMatchObject({ sites: [{ id: site?.id }] });
  expect(found).toMatchObject({ site: { id: site?.id } });
  expect(imported).toMatchObject({ created: 1, refused: 0 });
  expect(invited).toMatchObject({ user: { roles: ["admin", "user"] } });
  expect(created).toMatchObject({ user: { emailVerified: false } });
  expect(listed.users).toHaveLength(3);
  expect(verified).toMatchObject({ redirectUrl: "https://shop.example.com/welcome" });
  expect(session).toHaveProperty("session");
  expect(webhook).toMatchObject({ secret: expect.stringMatching(/^whsec_/) });
  expect(guide.left()).toBe(0);
  const resent = await mailTo(() => printedMails(service), "barbara@example.com");
  expect(resent.link).toContain(`/sites/${site?.id}/verify-email?lang=en&token=`);
  await logInGrace(site?.id ?? "");
});

/** Fails unless she has come over with her password. */
async function logInGrace(siteId: string): Promise<void> {
  const operator = grpcClients(service.url, service.operatorKey);
  const backend = grpcClients(service.url, await createKey(operator, siteId));
  await logIn(backend, GRACE.email, GRACE.password);
}
