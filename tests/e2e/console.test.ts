import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  findChromium,
  startBrowser,
  type TestBrowser,
  takePicture,
  type View,
  violations,
} from "../support/browser.ts";
import { buildConsole } from "../support/built-console.ts";
import { type ConsoleSite, openConsoleSite } from "../support/console-site.ts";
import { goTo, settle, signInAsOperator } from "../support/console-steps.ts";

/** Each colour, size and language is in one of them. */
const VIEWS: readonly View[] = [
  { scheme: "light", size: "desktop", language: "en" },
  { scheme: "dark", size: "phone", language: "de" },
];

/** The rest, for whoever takes pictures. */
const FURTHER_VIEWS: readonly View[] = [
  { scheme: "dark", size: "desktop", language: "de" },
  { scheme: "light", size: "phone", language: "en" },
];

/** Screens whose first button opens a dialog that creates something. */
const WITH_DIALOG: readonly string[] = ["sites", "users", "keys", "webhooks"];

const chromium = findChromium();
const views = process.env.SIGNET_TEST_PICTURES ? [...VIEWS, ...FURTHER_VIEWS] : VIEWS;

let site: ConsoleSite;
let browser: TestBrowser;

describe.runIf(chromium)("the console", () => {
  beforeAll(async () => {
    await buildConsole();
    site = await openConsoleSite();
    browser = await startBrowser(chromium ?? "");
  });

  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  test.for(views)("is for everybody on a $size, $scheme, in $language", async (view) => {
    await using watched = await browser.open(view);
    const { page, complaints, origins } = watched;
    const broken: string[] = [];
    const judge = async (name: string): Promise<void> => {
      await takePicture(watched, name);
      broken.push(...(await violations(page)).map((violation) => `${name}: ${violation}`));
    };

    await page.goto(`${site.service.url}/console`);
    await page.locator("button[type=submit]").waitFor();
    await judge("sign-in");
    await page.getByRole("tab").last().click();
    await judge("sign-in-admin");
    await signInAsOperator(page, site.service.url, site.service.operatorKey);
    for (const [name, path] of screensOf(site)) {
      await goTo(page, path);
      await judge(name);
      if (!WITH_DIALOG.includes(name)) continue;
      await page.locator("main button").first().click();
      await page.getByRole("dialog").waitFor();
      await judge(`${name}-dialog`);
      await page.keyboard.press("Escape");
    }
    await goTo(page, `/sites/${site.siteId}/users/${site.ada.userId}`);
    for (const [n, name] of ["sessions", "mirrors", "events"].entries()) {
      await page
        .getByRole("tab")
        .nth(n + 1)
        .click();
      await settle(page);
      await judge(`user-${name}`);
    }

    expect(broken).toEqual([]);
    expect(complaints).toEqual([]);
    expect([...origins]).toEqual([site.service.url]);
  });

  test("is used with the keyboard alone", async () => {
    await using watched = await browser.open({ scheme: "light", size: "desktop", language: "en" });
    const { page } = watched;
    const focused = page.locator(":focus");
    await page.goto(`${site.service.url}/console`);
    await page.getByLabel("Operator key").focus();
    await page.keyboard.type(site.service.operatorKey);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Sites" }).waitFor();

    await page.keyboard.press("Tab");
    expect(await focused.textContent()).toBe("Skip to the content");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    expect(await focused.textContent()).toBe("Create Site");
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Create Site" });
    await dialog.waitFor();
    await dialog.getByRole("textbox", { name: "Name", exact: true }).and(focused).waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });

    await page.getByRole("button", { name: "Create Site" }).and(focused).waitFor();
  });

  test("opens and closes its menu on a phone, and keeps colours and language", async () => {
    await using watched = await browser.open({ scheme: "light", size: "phone", language: "en" });
    const { page } = watched;
    await signInAsOperator(page, site.service.url, site.service.operatorKey);

    const link = page.getByRole("link", { name: "Operator keys" });
    await link.waitFor({ state: "hidden" });
    await page.getByRole("button", { name: "Menu" }).click();
    await link.click();
    await page.getByRole("heading", { name: "Operator keys" }).waitFor();
    await link.waitFor({ state: "hidden" });
    await page.getByRole("button", { name: "Colours" }).click();
    await page.getByRole("menuitem", { name: "Dark" }).click();
    await page.getByRole("button", { name: "EN, Language" }).click();
    await page.getByRole("menuitem", { name: "Deutsch" }).click();
    await page.getByRole("heading", { name: "Betreiberschlüssel" }).waitFor();
    await page.reload();

    await page.getByLabel("Betreiberschlüssel").waitFor();
    await page.locator("html[lang=de][data-mantine-color-scheme=dark]").waitFor();
  });
});

/** The screens by name, each with its address. */
function screensOf({
  siteId,
  ada,
  webhookId,
}: ConsoleSite): readonly (readonly [string, string])[] {
  const at = `/sites/${siteId}`;
  return [
    ["sites", "/sites"],
    ["operator-keys", "/operator-keys"],
    ["operator-audit", "/operator-audit"],
    ["users", `${at}/users`],
    ["user", `${at}/users/${ada.userId}`],
    ["keys", `${at}/keys`],
    ["changes", `${at}/changes`],
    ["sync", `${at}/sync`],
    ["webhooks", `${at}/webhooks`],
    ["webhook", `${at}/webhooks/${webhookId}`],
    ["audit", `${at}/audit`],
    ["settings", `${at}/settings`],
  ];
}
