import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { runCommandLine } from "../../src/cli/command-line.ts";
import { createTranscript, type Transcript } from "../../src/demo/transcript.ts";

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

/** A program that runs until it is stopped. */
export interface RunningProgram {
  readonly output: Transcript;
  /** What it has printed so far. */
  stdout(): string;
  /** Sends a signal that does not end it. */
  signal(signal: NodeJS.Signals): void;
  /** Returns the exit code; null: it was ended by a signal that it does not handle. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts a program that does not end by itself. */
export function startProgram(
  file: string,
  words: readonly string[],
  environment: Environment = {},
): RunningProgram {
  const { PATH, HOME } = process.env;
  const env = { PATH, HOME, ...environment };
  // In a group of its own, so that what it has started itself ends with it.
  const child = spawn(file, words, { env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const closed = once(child, "close");
  const output = createTranscript([child.stdout, child.stderr]);
  let stdout = "";
  child.stdout.on("data", (text: string) => (stdout += text));
  child.once("close", () => output.end(`it ended:\n${output.tail()}\n`));
  const send = (signal: NodeJS.Signals): void => {
    const isAlive = child.exitCode === null && child.signalCode === null;
    if (child.pid && isAlive) process.kill(-child.pid, signal);
  };
  return {
    output,
    stdout: () => stdout,
    signal: send,
    async stop(signal = "SIGTERM") {
      send(signal);
      await closed;
      return child.exitCode;
    },
  };
}

/** Runs the command line in a process of its own. */
export function runSignetProcess(
  words: readonly string[],
  environment: Environment,
): Promise<ProgramResult> {
  return runProgram(process.execPath, ["src/cli/main.ts", ...words], environment);
}

/** Starts a command that does not end by itself, in a process of its own. */
export function startSignet(words: readonly string[], environment: Environment): RunningProgram {
  return startProgram(process.execPath, ["src/cli/main.ts", ...words], environment);
}

/**
 * Runs the command line in this process. `reply` is what a person answers to its question, and
 * `input` what stands in the standard input where there is no person.
 */
export async function runSignet(
  words: readonly string[],
  environment: Environment,
  reply?: boolean | string,
  input = "",
): Promise<ProgramResult> {
  const printed: string[] = [];
  const noted: string[] = [];
  const terminal = {
    print: (text: string) => void printed.push(`${text}\n`),
    note: (text: string) => void noted.push(`${text}\n`),
    show: () => false,
    interactive: reply !== undefined,
    confirm: async () => reply === true,
    ask: async () => String(reply),
    askSecret: async () => (typeof reply === "string" ? reply : input),
  };
  const exitCode = await runCommandLine(words, { environment, terminal });
  return { exitCode, stdout: printed.join(""), stderr: noted.join("") };
}
