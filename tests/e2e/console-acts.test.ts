import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserState } from "../../gen/signet/v1/user_pb.ts";
import { codeAt } from "../support/authenticator.ts";
import {
  findChromium,
  startBrowser,
  type TestBrowser,
  type WatchedPage,
} from "../support/browser.ts";
import { grpcClients, refusal, signUp } from "../support/builders.ts";
import { buildConsole } from "../support/built-console.ts";
import { type ConsoleSite, openConsoleSite } from "../support/console-site.ts";
import { goTo, signInAsAdmin, signInAsOperator } from "../support/console-steps.ts";
import { runAsAdmin } from "../support/database.ts";
import { until } from "../support/waiting.ts";

const VIEW = { scheme: "light", size: "desktop", language: "en" } as const;
const chromium = findChromium();

let site: ConsoleSite;
let browser: TestBrowser;

async function openAsOperator(): Promise<WatchedPage> {
  const watched = await browser.open(VIEW);
  await signInAsOperator(watched.page, site.service.url, site.service.operatorKey);
  return watched;
}

async function openAsAdmin(name: string, password: string): Promise<WatchedPage> {
  const watched = await browser.open(VIEW);
  const login = { site: site.domain, name, password };
  await signInAsAdmin(watched.page, site.service.url, login);
  return watched;
}

const press = (page: Page, name: string): Promise<void> =>
  page.getByRole("button", { name, exact: true }).click();

const inDialog = (page: Page, name: string): Promise<void> =>
  page.getByRole("dialog").getByRole("button", { name, exact: true }).click();

async function actOn(page: Page, name: string): Promise<void> {
  await press(page, "Actions");
  await page.getByRole("menuitem", { name }).click();
}

describe.runIf(chromium)("by the console", () => {
  beforeAll(async () => {
    await buildConsole();
    site = await openConsoleSite();
    browser = await startBrowser(chromium ?? "");
  });

  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  test("an operator signs in, and the key stays in the page's memory", async () => {
    await using watched = await browser.open(VIEW);
    const { page, complaints } = watched;
    const { url, operatorKey } = site.service;
    await page.goto(`${url}/console/operator-keys`);
    await page.getByLabel("Operator key").fill(site.key);
    await press(page, "Sign in");
    await page.getByText("This is no operator key").waitFor();
    await page.getByLabel("Operator key").fill(operatorKey);
    await press(page, "Sign in");
    await page.getByRole("heading", { name: "Operator keys" }).waitFor();

    const kept = await page.evaluate(
      "JSON.stringify([localStorage, sessionStorage, document.cookie, history.state])",
    );
    await page.reload();

    await page.getByLabel("Operator key").waitFor();
    expect(kept).not.toContain("sgn_");
    expect(complaints).toEqual([]);
  });

  test("an operator creates a Site, changes it, and deletes it by typing its name", async () => {
    await using watched = await openAsOperator();
    const { page } = watched;
    await press(page, "Create Site");
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("textbox", { name: "Name", exact: true }).fill("Books");
    await dialog.getByLabel("Front end").fill("https://books.example.com");
    await inDialog(page, "Create Site");
    await page.getByRole("heading", { name: "Settings" }).waitFor();
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("Book store");
    await page.getByRole("switch", { name: "Protected against deletion" }).click();
    await press(page, "Save");
    await press(page, "Delete Site");
    expect(await dialog.getByRole("button", { name: "Delete" }).isDisabled()).toBe(true);
    await dialog.getByLabel("Type Book store to confirm").fill("Book store");
    await inDialog(page, "Delete");
    await page.getByRole("heading", { name: "Sites" }).waitFor();
    await page.getByLabel("Name begins with").fill("book");

    await page.getByText("No Site has such a name.").waitFor();
  });

  test("an operator creates a key, which is shown once, and revokes it", async () => {
    await using watched = await openAsOperator();
    const { page } = watched;
    await goTo(page, `/sites/${site.siteId}/keys`);
    await press(page, "Create key");
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Label").fill("newsletter");
    await dialog.getByLabel("users.read").check();
    await inDialog(page, "Create key");
    const secret = await dialog.locator("code").innerText();
    const { users } = grpcClients(site.service.url, secret);
    expect((await users.listUsers({ pageSize: 1 })).users).toHaveLength(1);
    await inDialog(page, "I have kept it");
    await press(page, "Revoke newsletter");
    expect(await page.content()).not.toContain(secret);
    await inDialog(page, "Revoke");
    await page.getByText("The key was revoked.").waitFor();

    expect(await refusal(users.listUsers({}))).toMatchObject({ reason: "CREDENTIAL_INVALID" });
  });

  test("an operator finds a User, disables, enables and deletes it", async () => {
    await using watched = await openAsOperator();
    const { page } = watched;
    const { userId, email } = await signUp(site.backend, "zoe@zed.example.com");
    const stateNow = async () => (await site.backend.users.getUser({ userId })).user?.state;
    await goTo(page, `/sites/${site.siteId}/users`);
    await press(page, "Next");
    await page.getByText("Page 2").waitFor();
    await press(page, "Previous");
    await page.getByText("Page 1").waitFor();
    await page.getByLabel("Begins with").pressSequentially("zoe@");
    await page.getByRole("link", { name: email }).click();
    await page.getByRole("heading", { name: email }).waitFor();

    await actOn(page, "Disable");
    await inDialog(page, "Disable");
    await page.getByText("Disabled").first().waitFor();
    expect(await stateNow()).toBe(UserState.DISABLED);
    await actOn(page, "Enable");
    await inDialog(page, "Enable");
    await page.getByText("Active").first().waitFor();
    expect(await stateNow()).toBe(UserState.ACTIVE);
    await actOn(page, "Delete");
    await page.getByLabel(`Type ${email} to confirm`).fill(email);
    await inDialog(page, "Delete");
    await page.getByRole("heading", { name: "Users" }).waitFor();

    const { users } = site.backend;
    expect(await refusal(users.getUser({ userId }))).toMatchObject({ reason: "USER_NOT_FOUND" });
  });

  test("an operator ends a Session", async () => {
    await using watched = await openAsOperator();
    const { page } = watched;
    const { userId, accessToken } = await signUp(site.backend);
    await goTo(page, `/sites/${site.siteId}/users/${userId}`);
    await page.getByRole("tab", { name: "Sessions" }).click();
    await press(page, "End Session");
    await inDialog(page, "End Session");
    await page.getByText("There are no Sessions.").waitFor();

    await until(async () => {
      const { result } = await site.backend.auth.validateToken({ token: accessToken });
      return result.case === "invalid";
    });
  });

  test("Changes come live, wait while it is paused, and come once each after that", async () => {
    await using watched = await openAsOperator();
    const { page } = watched;
    const { userId } = site.ada;
    const rename = (displayName: string) => site.backend.users.updateUser({ userId, displayName });
    await goTo(page, `/sites/${site.siteId}/changes`);
    await page.getByText("Live", { exact: true }).waitFor();
    await rename("Ada one");
    await page.getByText("1 received").waitFor();
    await press(page, "Pause");
    await page.getByText("Paused").waitFor();
    await rename("Ada two");
    await rename("Ada three");
    await press(page, "Resume");

    await page.getByText("3 received").waitFor();
    expect(await page.getByRole("row").count()).toBe(4);
  });

  test("an operator has a delivery made again", async () => {
    await using watched = await openAsOperator();
    const { page } = watched;
    await goTo(page, `/sites/${site.siteId}/webhooks/${site.webhookId}`);
    const button = page.getByRole("button", { name: "Redeliver position 1", exact: true });
    const before = site.receiver.accepted.map(({ id }) => id);
    await button.click();
    await page.getByText("It is queued.").waitFor();

    await until(() =>
      site.receiver.accepted.slice(before.length).some(({ id }) => before.includes(id)),
    );
  });

  test("the audit log is filtered by what was done", async () => {
    await using watched = await openAsOperator();
    const { page } = watched;
    await goTo(page, `/sites/${site.siteId}/audit`);
    await page.getByRole("combobox", { name: "Kinds" }).fill("webhook.created");
    await page.keyboard.press("Enter");

    await page.getByRole("row").nth(2).waitFor({ state: "detached" });
    expect(await page.getByRole("row").nth(1).textContent()).toContain("webhook.created");
  });

  test("an admin sees its own Site and nothing that is for operators", async () => {
    await using watched = await openAsAdmin(site.admin.email, site.admin.password);
    const { page, complaints } = watched;
    await page.getByRole("heading", { name: "Users" }).waitFor();
    const menu = await page.getByRole("navigation", { name: "Screens" }).innerText();
    await goTo(page, `/sites/${site.siteId}/settings`);

    expect(menu.split("\n").filter(Boolean)).toEqual([
      "Shop",
      "Users",
      "Keys",
      "Sync health",
      "Webhooks",
      "Audit",
      "Settings",
    ]);
    expect(await page.getByText("For operators").count()).toBe(0);
    expect(await page.getByRole("button", { name: "Delete Site" }).count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  test("an admin proves its login where that is no longer recent", async () => {
    await using watched = await openAsAdmin(site.admin.email, site.admin.password);
    const { page } = watched;
    await page.getByRole("heading", { name: "Users" }).waitFor();
    await runAsAdmin(
      site.adminUrl,
      `update signet.sessions set auth_time = auth_time - interval '1 hour'
        where user_id = '${site.admin.userId}'`,
    );
    await goTo(page, `/sites/${site.siteId}/keys`);
    await press(page, "Create key");
    await page.getByLabel("Label").fill("by an admin");
    await page.getByLabel("users.read").check();
    await inDialog(page, "Create key");
    const proof = page.getByRole("dialog", { name: "Please confirm that it is you" });
    await proof.locator("input[type=password]").fill(site.admin.password);
    await proof.getByRole("button", { name: "Confirm" }).click();

    await page.getByText("This is shown once.").waitFor();
  });

  test("an admin signs in with a second factor, and is out when its Session ends", async () => {
    const { email, password, secret, userId } = site.guardedAdmin;
    await using watched = await openAsAdmin(email, password);
    const { page } = watched;
    await page.getByLabel("Code").fill(codeAt(secret, 1));
    await press(page, "Sign in");
    await page.getByRole("heading", { name: "Users" }).waitFor();
    await site.backend.auth.revokeAllSessions({ userId });
    await until(async () => {
      await page
        .getByRole("link", { name: "Keys" })
        .click({ timeout: 1_000 })
        .catch(() => undefined);
      await page
        .getByRole("link", { name: "Users" })
        .click({ timeout: 1_000 })
        .catch(() => undefined);
      return await page.getByText("You were signed out").isVisible();
    }, 30_000);
  });

  test("a User who is no admin is not let in", async () => {
    await using watched = await openAsAdmin(site.ada.email, site.ada.password);

    await watched.page.getByText("You are no admin of this Site.").waitFor();
  });
});
