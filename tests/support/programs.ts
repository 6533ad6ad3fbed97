import { execFile } from "node:child_process";
import { runCommandLine } from "../../src/cli/command-line.ts";

/** How a program ended, and what it has printed. */
export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Environment = Readonly<Record<string, string>>;

/** Runs a program to its end; nothing of the test's environment but what any needs reaches it. */
export function runProgram(
  file: string,
  words: readonly string[],
  environment: Environment = {},
): Promise<ProgramResult> {
  const { PATH, HOME } = process.env;
  return new Promise((resolve) => {
    const options = { env: { PATH, HOME, ...environment }, timeout: 60_000 };
    execFile(file, words, options, (error, stdout, stderr) => {
      const exitCode = error ? Number(error.code ?? -1) : 0;
      resolve({ exitCode, stdout, stderr });
    });
  });
}

/** Runs the command line in a process of its own. */
export function runSignetProcess(
  words: readonly string[],
  environment: Environment,
): Promise<ProgramResult> {
  return runProgram(process.execPath, ["src/cli/main.ts", ...words], environment);
}

/** Runs the command line in this process; `reply` is what a person answers to its question. */
export async function runSignet(
  words: readonly string[],
  environment: Environment,
  reply?: boolean,
): Promise<ProgramResult> {
  const printed: string[] = [];
  const noted: string[] = [];
  const terminal = {
    print: (text: string) => void printed.push(`${text}\n`),
    note: (text: string) => void noted.push(`${text}\n`),
    interactive: reply !== undefined,
    confirm: async () => reply === true,
  };
  const exitCode = await runCommandLine(words, { environment, terminal });
  return { exitCode, stdout: printed.join(""), stderr: noted.join("") };
}
