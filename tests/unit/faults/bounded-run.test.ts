import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { identifyProcess } from "../../../src/store/embedded-postgres/process-identity.ts";
import { until } from "../../support/waiting.ts";
import { runBounded } from "../../weakened/bounded-run.ts";

const MS_MAX = 60_000;
const NEVER = new AbortController().signal;

/** Does not heed SIGTERM; writes its number to a file when that is so. */
const DEAF = `
  process.on("SIGTERM", () => {});
  setInterval(() => {}, 1_000);
  require("node:fs").writeFileSync(process.argv[1], String(process.pid));`;
/** Starts the deaf one in a group of its own, with its output; then it is deaf itself. */
const PARENT = `
  const words = ["-e", ${JSON.stringify(DEAF)}, process.argv[1] + ".child"];
  const options = { detached: true, stdio: "inherit" };
  require("node:child_process").spawn(process.execPath, words, options);
  ${DEAF}`;

test("a program that ends by itself is not cut", async () => {
  const words = ["-e", "console.log('one'); console.error('two'); process.exitCode = 3;"];

  const end = await runBounded(words, { cwd: tmpdir(), msMax: MS_MAX, signal: NEVER });

  expect(end).toMatchObject({ exitCode: 3, cut: false });
  expect(end.output).toContain("one\n");
  expect(end.output).toContain("two\n");
});

test("a program that heeds SIGTERM is cut when its time is over", async () => {
  const words = ["-e", "setInterval(() => {}, 1_000)"];

  const end = await runBounded(words, { cwd: tmpdir(), msMax: 100, signal: NEVER });

  expect(end).toMatchObject({ exitCode: null, cut: true });
});

test("nothing is left of a program that is cut and does not heed SIGTERM", async () => {
  const folder = await mkdtemp(join(tmpdir(), "signet-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "pid");
  const ended = new AbortController();
  const numberIn = (path: string) =>
    until(async () => Number(await readFile(path, "utf8")), MS_MAX);

  const running = runBounded(["-e", PARENT, file], {
    cwd: folder,
    msMax: MS_MAX,
    signal: ended.signal,
    graceMs: 100,
  });
  const pids = [await numberIn(file), await numberIn(`${file}.child`)];
  ended.abort();

  expect(await running).toMatchObject({ exitCode: null, cut: true });
  for (const pid of pids) await until(async () => !(await identifyProcess(pid)), MS_MAX);
});
