import { execFile } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const BUILT_PAGE = "dist/console/index.html";
const SOURCES = ["src/console", "gen", "vite.config.ts", "package-lock.json"];

/** Builds the console as `npm ci` does, unless what is there is newer than its sources. */
export async function buildConsole(): Promise<void> {
  if (SOURCES.every((path) => newestChangeMs(path) <= changeMs(BUILT_PAGE))) return;
  const arguments_ = ["node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"];
  await promisify(execFile)(process.execPath, arguments_, { timeout: 120_000 });
}

function newestChangeMs(path: string): number {
  if (!statSync(path).isDirectory()) return changeMs(path);
  const names = readdirSync(path, { recursive: true, encoding: "utf8" });
  return Math.max(...names.map((name) => changeMs(join(path, name))));
}

function changeMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
