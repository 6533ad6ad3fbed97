import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { EdgeServerArguments, EdgeServerMessage, EdgeServerOrder } from "./edge-server.ts";

type State = Extract<EdgeServerMessage, { type: "state" }>;

/** A server in a process of its own. */
export interface EdgeProcess extends AsyncDisposable {
  readonly port: number;
  /** Undefined as long as the process lives. */
  readonly exitCode: number | undefined;
  /** Resolves with the exit code; -1 for a signal. */
  readonly exited: Promise<number>;
  state(): Promise<State>;
  order(order: EdgeServerOrder): void;
}

const PROGRAM = fileURLToPath(new URL("./edge-server.ts", import.meta.url));

/** Starts the server and waits until it listens. */
export async function startEdgeProcess(options: EdgeServerArguments = {}): Promise<EdgeProcess> {
  const child = fork(PROGRAM, [JSON.stringify(options)], {
    execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  let exitCode: number | undefined;
  const exited = once(child, "exit").then(([code]: (number | null)[]) => {
    exitCode = code ?? -1;
    return exitCode;
  });
  const [listening] = (await once(child, "message")) as [EdgeServerMessage];
  if (listening.type !== "listening") throw new Error("the server did not start");

  return {
    port: listening.port,
    get exitCode() {
      return exitCode;
    },
    exited,
    async state() {
      const answer = once(child, "message");
      child.send({ type: "state" });
      const [message] = (await answer) as [EdgeServerMessage];
      if (message.type !== "state") throw new Error(`unexpected message: ${message.type}`);
      return message;
    },
    order: (order) => void child.send(order),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
