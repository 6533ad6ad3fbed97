import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSite } from "../support/builders.ts";
import { runSignet } from "../support/programs.ts";
import { openSiteOnService, type SiteOnService } from "../support/site-on-service.ts";

let running: SiteOnService;

beforeAll(async () => {
  running = await openSiteOnService();
});

afterAll(() => running[Symbol.asyncDispose]());

function signet(...words: readonly string[]) {
  return runSignet(["site", "mail-template", ...words], {
    SIGNET_URL: running.service.url,
    SIGNET_KEY: running.service.operatorKey,
  });
}

const FRENCH = [
  ...["--subject", "Bienvenue chez {site}", "--button", "Confirmer"],
  ...["--opening", "Il reste une étape.", "--opening", "Confirmez <vite> !"],
  ...["--closing", "Valable {lifetime}."],
];

describe("signet site mail-template", () => {
  test("takes a template through its life, and shows what a User will read", async () => {
    const at = ["--site", await createSite(running.operator)];
    const french = [...at, "--locale", "fr"];

    const before = await signet("preview", "verify_email", ...french);
    const set = await signet("set", "verify_email", ...french, ...FRENCH);
    const list = await signet("get", ...at, "--json");
    const preview = await signet("preview", "verify_email", ...french);
    const html = await signet("preview", "verify_email", ...french, "--html");
    const trial = await signet("preview", "verify_email", ...french, "--button", "Oui");
    const unasked = await signet("delete", "verify_email", ...french);
    const deleted = await signet("delete", "verify_email", ...french, "--yes");
    const after = await signet("preview", "verify_email", ...french);
    const none = await signet("get", ...at);

    expect(before.stdout).toMatch(/^Subject: Confirm your e-mail address for /);
    expect(set).toMatchObject({ exitCode: 0, stderr: "" });
    expect(set.stdout).toContain("Opening:\nIl reste une étape.\n\nConfirmez <vite> !\n");
    expect(JSON.parse(list.stdout).templates).toMatchObject([
      { kind: "MAIL_KIND_VERIFY_EMAIL", locale: "fr", button: "Confirmer" },
    ]);
    expect(preview.stdout).toMatch(
      /^Subject: Bienvenue chez .*\n\nIl reste une étape\.\n\n.*vite.*\n\nConfirmer:\nhttps:\/\//,
    );
    expect(preview.stdout).toMatch(/\nValable 24\sheures\.\n/);
    expect(html.stdout).toContain('<html lang="fr">');
    expect(html.stdout).toContain("Confirmez &lt;vite&gt; !");
    expect(trial.stdout).toMatch(/\n\nOui:\nhttps:\/\//);
    expect(unasked).toMatchObject({ exitCode: 2 });
    expect(deleted.stdout).toBe("verify_email in fr says what Signet has for it\n");
    expect(after.stdout).toBe(before.stdout);
    expect(none.stdout).toContain("no words of its own");
  });

  test("previews every mail in Signet's own words", async () => {
    const at = ["--site", await createSite(running.operator)];
    const help = await signet("preview", "--help");
    const kinds = /choices: ([^)]*)\)/.exec(help.stdout)?.[1]?.match(/\w+/g) ?? [];

    const previews = await Promise.all(
      kinds.map((kind) => signet("preview", kind, ...at, "--locale", "de-AT", "--json")),
    );

    const mails = previews.map(({ stdout }) => JSON.parse(stdout));
    expect(kinds).toHaveLength(12);
    expect(mails.map(({ language }) => language)).toEqual(kinds.map(() => "de"));
    expect(new Set(mails.map(({ html }) => html)).size).toBe(kinds.length);
    expect(mails.map(({ text }) => text).join()).not.toMatch(/undefined|NaN|\{\w+\}/);
  });

  test("names the flag of a text that is refused, and knows no other mail", async () => {
    const at = ["--site", await createSite(running.operator), "--locale", "fr"];

    const foreign = await signet("set", "new_device", ...at, ...FRENCH);
    const empty = await signet("set", "new_device", ...at, "--subject", "Bonjour");
    const unknown = await signet("set", "newsletter", ...at);

    expect(foreign).toMatchObject({ exitCode: 1, stdout: "" });
    expect(foreign.stderr).toContain("--closing has {lifetime}, and this mail has only {site}");
    expect(empty.stderr).toContain("--opening is required");
    expect(unknown.exitCode).toBe(2);
    expect(unknown.stderr).toContain("Allowed choices are verify_email");
  });
});
