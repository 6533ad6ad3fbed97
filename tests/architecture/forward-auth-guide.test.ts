import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const guide = readFileSync("docs/guides/forward-auth.md", "utf8");

describe("docs/guides/forward-auth.md", () => {
  test.each([
    ["nginx", ["nginx.conf"]],
    ["caddyfile", ["Caddyfile"]],
    ["yaml", ["traefik/dynamic.yml", "envoy.yaml"]],
  ])("shows %s lines of the examples", (language, files) => {
    const examples = files.map((file) => readFileSync(`examples/${file}`, "utf8"));
    const pattern = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "gms");
    const blocks = [...guide.matchAll(pattern)].map(([, block = ""]) => block);

    expect(blocks.length).toBeGreaterThan(0);
    expect(blocks.filter((block) => !examples.some((text) => text.includes(block)))).toEqual([]);
  });

  test("says of the same headers as every example", () => {
    const headers = ["X-User-Id", "X-User-Email", "X-User-Role", "X-Site-Id", "X-Identity-Token"];

    for (const text of ["examples/nginx.conf", "examples/Caddyfile"].map(readText)) {
      expect(headers.filter((name) => !text.includes(name))).toEqual([]);
    }
    const expression = /authResponseHeadersRegex: &identity '\(\?i\)([^']*)'/.exec(
      readText("examples/traefik/dynamic.yml"),
    )?.[1];
    const matches = new RegExp(expression ?? "$^", "i");
    const spellings = headers.flatMap((name) => [
      name,
      name.replaceAll("-", "_"),
      name.toLowerCase(),
    ]);
    expect(spellings.filter((name) => !matches.test(name))).toEqual([]);
    expect(headers.filter((name) => !guide.includes(name))).toEqual([]);
  });
});

function readText(file: string): string {
  return readFileSync(file, "utf8");
}
