import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { EmbeddedProgramArguments, EmbeddedProgramStarted } from "./embedded-program.ts";

/** A process of its own that runs an embedded PostgreSQL. */
export interface EmbeddedProcess extends AsyncDisposable {
  readonly started: EmbeddedProgramStarted;
  /** Kills the process at once, as the kernel does when memory is short. */
  kill(): Promise<void>;
  /** Asks for an orderly end, and returns the exit code. */
  stop(): Promise<number | null>;
}

/** How the process is started. */
export interface EmbeddedProcessOptions extends EmbeddedProgramArguments {
  readonly account?: { readonly uid: number; readonly gid: number };
  /** The folder of the project; by default this one. */
  readonly project?: string;
}

/** Starts the process and waits for its PostgreSQL; rejects with what it says if it fails. */
export async function startEmbeddedProcess(
  options: EmbeddedProcessOptions,
): Promise<EmbeddedProcess> {
  const { account, project = fileURLToPath(new URL("../..", import.meta.url)), ...rest } = options;
  const program = `${project}/tests/support/embedded-program.ts`;
  const child = spawn(process.execPath, [program, JSON.stringify(rest)], {
    ...account,
    cwd: "/",
    env: { PATH: process.env.PATH ?? "" },
    stdio: ["pipe", "pipe", "pipe", "ipc"],
  });
  const problem = text(child.stderr ?? Readable.from([]));
  const exited = once(child, "exit");
  const started = await Promise.race([once(child, "message"), exited.then(() => undefined)]);
  if (!started) throw new Error(await problem);
  return {
    started: started[0] as EmbeddedProgramStarted,
    kill: () => end(child, () => child.kill("SIGKILL")).then(() => undefined),
    stop: () => end(child, () => child.send("stop")),
    async [Symbol.asyncDispose]() {
      await end(child, () => child.send("stop"));
    },
  };
}

async function end(child: ChildProcess, ask: () => void): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, "exit");
    ask();
    await exited;
  }
  return child.exitCode;
}
