import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** A program of the bench in a process of its own, which does what it is asked, one at a time. */
export interface Child<Request, Reply> extends AsyncDisposable {
  /** @throws if the child fails at it or ends. */
  ask(request: Request): Promise<Reply>;
}

type Message<Reply> = { readonly reply: Reply } | { readonly error: string };

const STOP_MS_MAX = 20_000;

/** Starts a program that serves with {@link answerParent}. */
export function forkChild<Request, Reply>(program: URL): Child<Request, Reply> {
  const child = fork(program, [], { serialization: "advanced" });
  // Whoever asks learns that the child has gone; without a listener the error would end us.
  child.on("error", () => {});
  return {
    ask: (request) => ask<Request, Reply>(child, request),
    [Symbol.asyncDispose]: () => stopProcess(child),
  };
}

/** Answers each message of the parent with what `handle` returns; ends when the parent does. */
export function answerParent<Request, Reply>(handle: (request: Request) => Promise<Reply>): void {
  const send = (message: Message<Reply>) => process.send?.(message);
  process.on("disconnect", () => process.exit());
  process.on("SIGINT", () => {}); // Ctrl-C reaches the parent too, which ends us in its turn.
  process.on("message", (request: Request) => {
    handle(request).then(
      (reply) => send({ reply }),
      (error: unknown) => send({ error: String(error) }),
    );
  });
}

/**
 * Ends a process and waits for it.
 *
 * @throws if it had to be killed.
 */
export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const late = Symbol("late");
  const outcome = await Promise.race([exited, sleep(STOP_MS_MAX, late, { ref: false })]);
  if (outcome !== late) return;
  child.kill("SIGKILL");
  await exited;
  throw new Error(`process ${child.pid} did not stop within ${STOP_MS_MAX / 1_000} s`);
}

function ask<Request, Reply>(child: ChildProcess, request: Request): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const onExit = () => settle({ error: "it has ended" });
    const settle = (message: Message<Reply>): void => {
      child.off("message", settle).off("exit", onExit);
      if ("reply" in message) resolve(message.reply);
      else reject(new Error(`${child.spawnargs.at(-1)}: ${message.error}`));
    };
    child.on("message", settle).on("exit", onExit);
    if (!child.connected) return onExit();
    child.send(request as object, (error) => error && settle({ error: error.message }));
  });
}
