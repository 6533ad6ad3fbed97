import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const { config } = ts.readConfigFile("tsconfig.json", ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ".");

const CLIENT = `import { createUserMirror, type SignetClient } from "../src/client/index.ts";
declare const signet: SignetClient;`;

/** What the reader of a guide has already; the other guides show code of whole programs. */
const BEFORE = {
  mirror: `import type { Pool } from "pg";
${CLIENT}
declare const pool: Pool;
declare const userId: string;
declare const log: { info(value: unknown): void };`,
  "public-calls": `${CLIENT}
declare const form: { readonly email: string; readonly password: string };
declare const [ip, userAgent]: readonly [string, string];
declare const cookies: Map<string, string>;
void createUserMirror;`,
};

/** Compiles a text as if it were a file of the examples, and returns what is wrong with it. */
function problemsOf(text: string): string[] {
  const name = resolve("examples/of-a-guide.ts");
  const host = ts.createCompilerHost(options);
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.ESNext, true);
  const program = ts.createProgram([name], options, {
    ...host,
    fileExists: (path) => path === name || host.fileExists(path),
    getSourceFile: (path, ...more) => (path === name ? file : host.getSourceFile(path, ...more)),
  });
  const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
  return found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "));
}

test.each(Object.entries(BEFORE))(
  "the TypeScript of docs/guides/%s.md compiles",
  (name, before) => {
    const guide = readFileSync(`docs/guides/${name}.md`, "utf8");
    const blocks = [...guide.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block = ""]) => block);

    expect(blocks.length).toBeGreaterThan(0);
    expect(problemsOf([before, ...blocks].join("\n"))).toEqual([]);
  },
);
