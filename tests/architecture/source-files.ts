import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** A file that people write and read; generated code and documents are not among them. */
export interface SourceFile {
  readonly path: string;
  readonly name: string;
  readonly text: string;
  readonly lines: readonly string[];
}

const FOLDERS = ["src", "tests", "bench", "examples", "scripts"];

/** Reads every TypeScript and SQL file of the project. */
export function readSourceFiles(): SourceFile[] {
  return FOLDERS.flatMap((folder) => {
    const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
    return paths
      .filter((path) => !path.includes("node_modules")) // bench/peers has some of its own.
      .filter((path) => /\.(tsx?|sql)$/.test(path))
      .map((path) => read(join(folder, path)));
  });
}

function read(path: string): SourceFile {
  const text = readFileSync(path, "utf8");
  const lines = text.replace(/\n$/, "").split("\n");
  return { path, name: basename(path).replace(/\..*$/, ""), text, lines };
}
