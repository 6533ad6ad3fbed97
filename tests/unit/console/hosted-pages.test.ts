import { describe, expect, test } from "vitest";
import { chooseLanguage } from "../../../src/console/pages/language.ts";
import { WORDS } from "../../../src/console/pages/words/words.ts";
import { accentOf } from "../../../src/model/accent.ts";
import { html } from "../../../src/model/html.ts";

describe("the language of a page", () => {
  test.each([
    ["that of the mail", "de-AT", "en", "en", "de"],
    ["else what the browser wants most", "fr", "fr, en;q=0.5, de;q=0.9", "en", "de"],
    ["but not what it refuses", "", "de;q=0, fr", "en", "en"],
    ["else the Site's", "", "fr, *", "de", "de"],
    ["else English", "x", "x".repeat(9_000), "fr", "en"],
  ])("is %s", (_rule, ofMail, acceptLanguage, ofSite, expected) => {
    expect(chooseLanguage(ofMail, acceptLanguage, ofSite)).toBe(expected);
  });
});

test("what stands on a Site's colour can be read, whatever the colour", () => {
  const steps = [0, 51, 102, 119, 153, 204, 255].map((one) => one.toString(16).padStart(2, "0"));
  const colors = steps.flatMap((r) => steps.flatMap((g) => steps.map((b) => `#${r}${g}${b}`)));

  const unreadable = colors.filter((color) => {
    const { onAccent } = accentOf(color);
    const [one, other] = [luminance(color), luminance(onAccent)].sort((a, b) => b - a);
    return ((one ?? 0) + 0.05) / ((other ?? 0) + 0.05) < 4.5;
  });

  expect(unreadable).toEqual([]);
});

test("values become text, never markup, in elements and attributes", () => {
  const value = `"><script>alert('&')</script>`;

  expect(html`<p title="${value}">${value}${undefined}</p>`.markup).toBe(
    `<p title="${ESCAPED}">${ESCAPED}</p>`,
  );
});

test("both languages say something of everything", () => {
  const empty = Object.entries(WORDS).flatMap(([language, words]) =>
    textsOf(words)
      .filter(([, text]) => text.trim() === "")
      .map(([name]) => `${language}: ${name}`),
  );

  expect(empty).toEqual([]);
});

const ESCAPED = "&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;";

function textsOf(value: unknown, name = ""): [string, string][] {
  if (typeof value === "string") return [[name, value]];
  if (typeof value === "function") return [[name, String(value("Shop"))]];
  return Object.entries(value ?? {}).flatMap(([key, one]) => textsOf(one, `${name}.${key}`));
}

function luminance(color: string): number {
  const [r = 0, g = 0, b = 0] = (color.match(/[0-9a-f]{2}/g) ?? []).map((two) => {
    const part = Number.parseInt(two, 16) / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
