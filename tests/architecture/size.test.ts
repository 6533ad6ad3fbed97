import ts from "typescript";
import { describe, expect, test } from "vitest";
import { readSourceFiles, type SourceFile } from "./source-files.ts";

const FILE_LINES_MAX = 300;
const FUNCTION_LINES_MAX = 60;
const LINE_CHARACTERS_MAX = 100;

const files = readSourceFiles();

describe("a hand-written file", () => {
  test("is found wherever there are some", () => {
    const folders = new Set(files.map(({ path }) => path.split("/")[0]));

    expect([...folders].toSorted()).toEqual(["bench", "examples", "scripts", "src", "tests"]);
    expect(files.length).toBeGreaterThan(1_000);
  });

  test(`has at most ${FILE_LINES_MAX} lines`, () => {
    const long = files.filter((file) => file.lines.length > FILE_LINES_MAX);

    expect(long.map((file) => `${file.path}: ${file.lines.length} lines`)).toEqual([]);
  });

  test(`has lines of at most ${LINE_CHARACTERS_MAX} characters`, () => {
    const long = files.flatMap((file) =>
      file.lines.flatMap((line, index) =>
        line.length > LINE_CHARACTERS_MAX ? [`${file.path}:${index + 1}`] : [],
      ),
    );

    expect(long).toEqual([]);
  });

  test(`has functions of at most ${FUNCTION_LINES_MAX} lines`, () => {
    const long = files.filter((file) => /\.tsx?$/.test(file.path)).flatMap(longFunctions);

    expect(long).toEqual([]);
  });

  test("has a name that says what it is about", () => {
    const forbidden = /^(utils?|helpers?|common|misc|types|lib|shared|stuff)$|-and-/;

    const badlyNamed = files.filter((file) => forbidden.test(file.name));

    expect(badlyNamed.map((file) => file.path)).toEqual([]);
  });

  test("has a name in kebab-case", () => {
    const odd = files.filter(
      (file) => !/^(\d{4}_[a-z0-9_]+|[a-z0-9]+(-[a-z0-9]+)*)$/.test(file.name),
    );

    expect(odd.map((file) => file.path)).toEqual([]);
  });
});

/**
 * Names each function of the file that is too long, with its place. The functions within it are
 * counted by themselves: a factory is not long because it returns many short ones.
 */
function longFunctions(file: SourceFile): string[] {
  const source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const lines = ts.isFunctionLike(node) ? spanOf(node) - nestedLines(node) : 0;
    if (lines > FUNCTION_LINES_MAX && !isTestGroup(node)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      found.push(`${file.path}:${line + 1}: ${lines} lines`);
    }
    ts.forEachChild(node, visit);
  };
  const spanOf = (node: ts.Node): number => {
    const first = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
    return source.getLineAndCharacterOfPosition(node.getEnd()).line - first + 1;
  };
  /** Counts the lines of functions within; one of a single line shares it with its surroundings. */
  const nestedLines = (node: ts.Node): number => {
    let lines = 0;
    ts.forEachChild(node, (child) => {
      lines += ts.isFunctionLike(child) ? Math.max(0, spanOf(child) - 1) : nestedLines(child);
    });
    return lines;
  };
  visit(source);
  return found;
}

/** The function given to `describe` groups tests as a file groups functions. */
function isTestGroup(node: ts.Node): boolean {
  return ts.isCallExpression(node.parent) && /^describe\b/.test(node.parent.expression.getText());
}
