import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WORDS } from "../../src/console/pages/words/words.ts";
import {
  findChromium,
  startBrowser,
  type TestBrowser,
  takePicture,
  type View,
  violations,
  type WatchedPage,
} from "../support/browser.ts";
import { logIn } from "../support/builders.ts";
import {
  type HostedSite,
  newPerson,
  openHostedSite,
  type Person,
  SITE_NAME,
} from "../support/hosted-site.ts";
import { mailTo } from "../support/mailbox.ts";

const chromium = findChromium();
const PASSWORD = "four blue lamps hum";

/** Without scripts, as a reader of mails may have it. */
const VIEWS: readonly View[] = [
  { scheme: "light", size: "desktop", language: "en", scripts: false },
  { scheme: "dark", size: "phone", language: "de", scripts: false },
];

let site: HostedSite;
let browser: TestBrowser;

describe.runIf(chromium)("the pages for links in mails", () => {
  beforeAll(async () => {
    [site, browser] = await Promise.all([openHostedSite(), startBrowser(chromium ?? "")]);
  });

  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  describe.each(VIEWS)("on a $size, $scheme, in $language", (view) => {
    const words = WORDS[view.language];
    const button = (page: Page) => page.locator("button[type=submit]");
    const heading = (page: Page, name: string) =>
      page.getByRole("heading", { name, exact: true, level: 1 }).waitFor();

    /** Opens pages, has each judged, and fails at the end for what is wrong with any. */
    async function withPage(
      work: (page: Page, judge: (name: string) => Promise<void>) => Promise<void>,
    ): Promise<void> {
      await using watched: WatchedPage = await browser.open(view);
      // The judge is a script, which the page does not run: it is shown a copy.
      await using copy = await browser.open({ ...view, scripts: true });
      const broken: string[] = [];
      await work(watched.page, async (name) => {
        await takePicture(watched, name);
        await copy.page.setContent(await watched.page.content());
        broken.push(...(await violations(copy.page)).map((text) => `${name}: ${text}`));
      });
      expect(broken).toEqual([]);
      expect(watched.complaints).toEqual([]);
    }

    async function choosePassword(page: Page, password: string, repeat = password) {
      await page.getByLabel(words.newPassword, { exact: true }).fill(password);
      await page.getByLabel(words.repeatPassword, { exact: true }).fill(repeat);
      await button(page).click();
    }

    async function canLogIn({ email }: Person): Promise<boolean> {
      return (await logIn(site.backend, email, PASSWORD)).sessionId !== "";
    }

    test("verify an address, set the missing password, and lead on", async () => {
      const person = newPerson(view.language);
      const link = await site.links.verify(person, site.welcomeUrl);

      await withPage(async (page, judge) => {
        await page.goto(link);
        await heading(page, words.acts["verify-email"].title);
        expect(await page.title()).toBe(`${words.acts["verify-email"].title} – ${SITE_NAME}`);
        expect(await page.getByLabel(words.email).inputValue()).toBe(person.email);
        await judge("verify");
        await choosePassword(page, PASSWORD, `${PASSWORD}s`);
        const repeat = page.getByLabel(words.repeatPassword, { exact: true });
        await repeat.and(page.locator(":focus")).waitFor();
        expect(await repeat.getAttribute("aria-describedby")).toBe("repeat-error");
        expect(await page.locator("#repeat-error").textContent()).toBe(words.passwordsDiffer);
        await judge("verify-differs");
        await choosePassword(page, PASSWORD);
        await page.getByRole("heading", { name: "Front end /welcome" }).waitFor();
      });

      expect(await canLogIn(person)).toBe(true);
    });

    test("verify an address that has a password with one click", async () => {
      const person = newPerson(view.language, PASSWORD);
      const link = await site.links.verify(person);

      await withPage(async (page, judge) => {
        await page.goto(link);
        await judge("verify-click");
        await button(page).click();
        await heading(page, words.acts["verify-email"].doneTitle);
        await judge("verified");
        await page.getByRole("link", { name: words.goOn(SITE_NAME) }).click();
        await page.getByRole("heading", { name: "Front end /", exact: true }).waitFor();
      });

      expect(await canLogIn(person)).toBe(true);
    });

    test("reset a password, and send a new link when one is used up", async () => {
      const person = newPerson(view.language, "an old password of mine");
      await site.links.verify(person);
      const link = await site.links.reset(person);

      await withPage(async (page, judge) => {
        await page.goto(link);
        await choosePassword(page, "password1");
        expect(await page.locator("#password-error").textContent()).toBe(words.passwordKnown);
        await judge("reset-refused");
        await choosePassword(page, PASSWORD);
        await heading(page, words.acts["reset-password"].doneTitle);
        await judge("reset-done");
        expect(await canLogIn(person)).toBe(true);

        await page.goto(link);
        await heading(page, words.goneTitle);
        await judge("reset-gone");
        const known = site.mails.length;
        await page.getByLabel(words.email).fill(person.email);
        await button(page).click();
        await heading(page, words.asks["reset-password"].sentTitle);
        await judge("reset-sent");
        const mail = await mailTo(() => site.mails.slice(known), person.email);
        await page.goto(mail.link);
        await heading(page, words.acts["reset-password"].title);
      });
    });

    test("confirm a change of address", async () => {
      const person = newPerson(view.language, PASSWORD);
      const { email } = newPerson();
      const verify = await site.links.verify(person);

      await withPage(async (page, judge) => {
        await page.goto(verify);
        await button(page).click();
        await page.goto(await site.links.changeEmail(person, email));
        expect(await page.getByLabel(words.email).inputValue()).toBe(email);
        await judge("change");
        await button(page).click();
        await heading(page, words.acts["confirm-email-change"].doneTitle);
      });

      expect(await canLogIn({ ...person, email })).toBe(true);
    });

    test("accept an invitation, with a username of one's own", async () => {
      const taken = `taken-${view.language}`;
      await site.backend.users.createUser({ email: newPerson().email, username: taken });
      const person = newPerson(view.language);
      const link = await site.links.invite(person, `invited-${view.language}`);

      await withPage(async (page, judge) => {
        await page.goto(link);
        const username = page.getByLabel(words.username);
        expect(await username.inputValue()).toBe(`invited-${view.language}`);
        await judge("accept");
        await username.fill(taken);
        await choosePassword(page, PASSWORD);
        expect(await page.locator("#username-error").textContent()).toBe(words.usernameTaken);
        await judge("accept-taken");
        await username.fill(`own-${view.language}`);
        await choosePassword(page, PASSWORD);
        await heading(page, words.acts["accept-invitation"].doneTitle);
      });

      const ref = { case: "email", value: person.email } as const;
      const { user } = await site.backend.users.lookupUser({ user: { ref } });
      expect(user).toMatchObject({ username: `own-${view.language}`, emailVerified: true });
      expect(await canLogIn(person)).toBe(true);
    });
  });
});
