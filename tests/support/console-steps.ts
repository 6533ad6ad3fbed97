import type { Page } from "playwright-core";

/** Opens the console and signs in with an operator key. */
export async function signInAsOperator(page: Page, url: string, key: string): Promise<void> {
  await page.goto(`${url}/console`);
  await page.locator("input[type=password]").fill(key);
  await page.locator("button[type=submit]").click();
  await page.locator("header").waitFor();
}

/** Opens the console and takes the first step of an admin's login. */
export async function signInAsAdmin(
  page: Page,
  url: string,
  login: { readonly site: string; readonly name: string; readonly password: string },
): Promise<void> {
  await page.goto(`${url}/console`);
  await page.getByRole("tab", { name: "Admin of a Site" }).click();
  await page.getByRole("textbox", { name: "Site", exact: true }).fill(login.site);
  await page.getByLabel("E-mail address or username").fill(login.name);
  await page.locator("input[type=password]").fill(login.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

/** Goes to a screen as a link would; to load the page anew would sign out. */
export async function goTo(page: Page, path: string): Promise<void> {
  if (new URL(page.url()).pathname === `/console${path}`) {
    await page.locator("main h1").waitFor();
    return await settle(page);
  }
  const before = await page.locator("main h1").first().textContent();
  await page.evaluate(`
    history.pushState(null, "", "/console${path}");
    dispatchEvent(new PopStateEvent("popstate", { state: null }));
  `);
  // The screen before stays until the next one is there.
  await page.locator("main h1", { hasNotText: before ?? "" }).waitFor();
  await settle(page);
}

/** Waits until nothing is loading any more. */
export async function settle(page: Page): Promise<void> {
  await page.locator("main .mantine-Loader-root").first().waitFor({ state: "detached" });
}
