import ts from "typescript";
import { describe, expect, test } from "vitest";
import { readSourceFiles, type SourceFile } from "./source-files.ts";

/** What stands in a comment that keeps a tool from saying what it has found. */
const SILENCES = /(biome|eslint|@ts)-(ignore|disable|expect-error|nocheck)/;

const files = readSourceFiles();
const programs = files.filter(({ path }) => /\.tsx?$/.test(path) && !/\.test\.tsx?$/.test(path));

describe("a hand-written file", () => {
  test("says of each export what it is", () => {
    expect(programs.length).toBeGreaterThan(500);
    expect(programs.flatMap(unexplainedExports)).toEqual([]);
  });

  test("silences no rule of the tools that check it", () => {
    const silenced = files.flatMap(({ path, lines }) =>
      lines.flatMap((line, index) => (SILENCES.test(line) ? [`${path}:${index + 1}`] : [])),
    );

    expect(["biome", "ignore"].join("-")).toMatch(SILENCES);
    expect(silenced).toEqual([]);
  });

  test("begins, where it is a migration, with why it is there", () => {
    const migrations = files.filter(({ path }) => path.endsWith(".sql"));
    const unexplained = migrations.filter(({ text }) => !text.startsWith("-- "));

    expect(migrations.length).toBeGreaterThan(20);
    expect(unexplained.map(({ path }) => path)).toEqual([]);
  });
});

/** What a file exports itself, and has no docstring for; of overloads one is enough. */
function unexplainedExports({ path, text }: SourceFile): string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  const exported = source.statements.filter(isExported);
  const namesOf = (statement: ts.Statement) => exportedNames(statement, source);
  const explained = new Set(exported.filter(({ pos }) => hasDocstring(text, pos)).flatMap(namesOf));
  return exported
    .filter((statement) => !namesOf(statement).every((name) => explained.has(name)))
    .map((statement) => {
      const { line } = source.getLineAndCharacterOfPosition(statement.getStart(source));
      return `${path}:${line + 1}`;
    });
}

function isExported(statement: ts.Statement): boolean {
  const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
  return modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
}

function hasDocstring(text: string, pos: number): boolean {
  const last = ts.getLeadingCommentRanges(text, pos)?.at(-1);
  return last !== undefined && text.startsWith("/**", last.pos);
}

function exportedNames(statement: ts.Statement, source: ts.SourceFile): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText(source));
  }
  const { name } = statement as ts.DeclarationStatement;
  return [name?.getText(source) ?? "default"];
}
