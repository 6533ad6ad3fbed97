import { execFileSync } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import ts from "typescript";

/** What the manifest of the service tells the client's: one version, one license. */
interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

const ENTRY = "src/client/index";

/** Compiles the client library into a package that can be published: `npm run build:client`. */
const folder = process.argv[2] ?? "dist/client";
rmSync(folder, { recursive: true, force: true });
compile(folder);
writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest(folder), undefined, 2)}\n`);
copyFileSync("LICENSE", join(folder, "LICENSE"));
copyFileSync("src/client/README.md", join(folder, "README.md"));

function compile(outputFolder: string): void {
  const options = ["--project", "tsconfig.client.json", "--outDir", outputFolder];
  execFileSync("tsc", options, { stdio: "inherit" });
}

function manifest(builtFolder: string): Readonly<Record<string, unknown>> {
  const service = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
  return {
    name: "signet-client",
    version: service.version,
    description: "Client of Signet: typed calls, token checks and a stream of user changes.",
    license: service.license,
    type: "module",
    sideEffects: false,
    engines: service.engines,
    exports: { ".": { types: `./${ENTRY}.d.ts`, default: `./${ENTRY}.js` } },
    dependencies: caretRanges(importedPackages(builtFolder), service.dependencies),
  };
}

/** The packages that the compiled files and their declarations really import. */
function importedPackages(builtFolder: string): string[] {
  const paths = readdirSync(builtFolder, { recursive: true, encoding: "utf8" });
  const code = paths.filter((path) => /\.(js|d\.ts)$/.test(path));
  const imports = code.flatMap((path) => {
    return ts.preProcessFile(readFileSync(join(builtFolder, path), "utf8")).importedFiles;
  });
  const specifiers = imports.map(({ fileName }) => fileName).filter(isPackage);
  return [...new Set(specifiers.map(packageName))].sort();
}

function isPackage(specifier: string): boolean {
  const isRelative = specifier.startsWith(".");
  return !isRelative && !specifier.startsWith("node:") && !builtinModules.includes(specifier);
}

function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** Allows newer minor versions, so that an app may share the packages with others. */
function caretRanges(
  names: readonly string[],
  versions: Manifest["dependencies"],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    names.map((name) => {
      const version = versions[name];
      if (!version) throw new Error(`the client imports ${name}, which is no dependency`);
      return [name, `^${version}`];
    }),
  );
}
