import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import { type BrowserContext, chromium, type Page } from "playwright-core";

/** How somebody looks at the console. */
export interface View {
  readonly scheme: "light" | "dark";
  readonly size: "desktop" | "phone";
  readonly language: "en" | "de";
  /** Whether pages may run scripts; by default they may. */
  readonly scripts?: boolean;
}

/** A real browser. */
export interface TestBrowser extends AsyncDisposable {
  /** Opens a page of its own, with nothing kept from others. */
  open(view: View): Promise<WatchedPage>;
}

/** A page, and what must not have happened to it. */
export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  readonly view: View;
  /** What the browser has complained about: errors, and breaches of the page's policy. */
  readonly complaints: readonly string[];
  /** The origins that were asked for anything. */
  readonly origins: ReadonlySet<string>;
}

const SIZES = {
  desktop: { width: 1280, height: 860 },
  phone: { width: 390, height: 844 },
} as const;

const WAIT_MS_MAX = 30_000;

/** Finds the browser of the system; undefined: there is none. */
export function findChromium(): string | undefined {
  try {
    const found = execFileSync("sh", ["-c", "command -v chromium || command -v chromium-browser"]);
    return found.toString().trim();
  } catch {
    return undefined;
  }
}

/** Starts the browser without a window. Dispose of it at the end. */
export async function startBrowser(executablePath: string): Promise<TestBrowser> {
  // A sandbox needs rights that containers and root do not have.
  const args = ["--no-sandbox", "--disable-dev-shm-usage"];
  const browser = await chromium.launch({ executablePath, args, timeout: WAIT_MS_MAX });
  return {
    async open(view) {
      const context = await browser.newContext({
        viewport: SIZES[view.size],
        colorScheme: view.scheme,
        locale: view.language === "de" ? "de-DE" : "en-GB",
        timezoneId: "Europe/Berlin",
        reducedMotion: "reduce",
        javaScriptEnabled: view.scripts ?? true,
      });
      context.setDefaultTimeout(WAIT_MS_MAX);
      return await watch(context, view);
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
    },
  };
}

/** Names each rule of accessibility that the page breaks, with where. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const options = {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  };
  const found = (await page.evaluate(`axe.run(${JSON.stringify(options)})`)) as axe.AxeResults;
  return found.violations.map(({ id, nodes }) => {
    const [first] = nodes;
    return `${id} at ${nodes.length} places: ${first?.target.join(" ")} ${first?.failureSummary}`;
  });
}

/** Takes a picture where somebody wants to look: into the folder SIGNET_TEST_PICTURES. */
export async function takePicture({ page, view }: WatchedPage, name: string): Promise<void> {
  const folder = process.env.SIGNET_TEST_PICTURES;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  const file = `${name}-${view.size}-${view.scheme}-${view.language}.png`;
  await page.screenshot({ path: join(folder, file), fullPage: true });
}

async function watch(context: BrowserContext, view: View): Promise<WatchedPage> {
  const complaints: string[] = [];
  const origins = new Set<string>();
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // An answer that refuses a call is told here too, and is no fault of the page.
    const isAnswer = /^Failed to load resource/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !isAnswer) complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith("data:")) origins.add(new URL(request.url()).origin);
  });
  return {
    page,
    view,
    complaints,
    origins,
    async [Symbol.asyncDispose]() {
      await context.close();
    },
  };
}
