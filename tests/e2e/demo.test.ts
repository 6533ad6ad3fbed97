import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, rm } from "node:fs/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTranscript, type Transcript } from "../../src/demo/transcript.ts";
import { openTestFolder } from "../support/postgres.ts";

/** Where the demo keeps its temporary files, so that what it leaves can be seen. */
let folder = "";

beforeEach(async () => {
  folder = await openTestFolder();
});

afterEach(() => rm(folder, { recursive: true }));

describe("the demo", () => {
  test("plays the main job, ends with 0 and leaves nothing behind", async () => {
    const { demo, output } = startDemo();

    const exitCode = await exitOf(demo);

    expect(output.tail()).toMatch(/Everything was as it should be, in \d+\.\d s\.$/);
    expect(exitCode).toBe(0);
    await expectNothingLeft();
  });

  test("clears everything away when it is interrupted", async () => {
    const { demo, output } = startDemo();
    await output.waitFor(/an operator creates a Site/, "it began");
    const service = await serviceOf(demo);

    demo.kill("SIGINT");
    demo.kill("SIGINT");

    expect(await exitOf(demo)).toBe(130);
    await expectNothingLeft(service);
  });

  test("fails with a message when the service fails, and clears everything away", async () => {
    const { demo, output } = startDemo();
    await output.waitFor(/Ada verifies her address/, "it began");
    const service = await serviceOf(demo);

    process.kill(service, "SIGTERM");

    expect(await exitOf(demo)).toBe(1);
    await output.waitFor(/The demo has failed: .+\n\nWhat Signet printed last:\n/, "the message");
    await expectNothingLeft(service);
  });
});

function startDemo(): { readonly demo: ChildProcess; readonly output: Transcript } {
  const { PATH, HOME } = process.env;
  // The demo must not come upon the database of the person who runs it.
  const env = { PATH, HOME, TMPDIR: folder, DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" };
  const demo = spawn(process.execPath, ["src/demo.ts"], { env, stdio: ["ignore", "pipe", "pipe"] });
  return { demo, output: createTranscript([demo.stdout, demo.stderr]) };
}

async function exitOf(program: ChildProcess): Promise<number | null> {
  const [exitCode] = (await once(program, "close")) as [number | null];
  return exitCode;
}

interface RunningProcess {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

async function listProcesses(): Promise<RunningProcess[]> {
  const columns = ["-o", "pid=", "-o", "ppid=", "-o", "args="];
  const { stdout } = await promisify(execFile)("ps", ["-A", ...columns], { maxBuffer: 2 ** 24 });
  return stdout.split("\n").map((line) => {
    const [, pid, parent, command = ""] = /^ *(\d+) +(\d+) (.*)$/.exec(line) ?? [];
    return { pid: Number(pid), parent: Number(parent), command };
  });
}

async function serviceOf(demo: ChildProcess): Promise<number> {
  const service = (await listProcesses()).find(({ parent }) => parent === demo.pid);
  return service?.pid ?? 0;
}

async function expectNothingLeft(service?: number): Promise<void> {
  const left = (await listProcesses()).filter(
    ({ pid, command }) => pid === service || command.includes(folder),
  );
  expect(left).toEqual([]);
  expect(await readdir(folder)).toEqual([]);
}
