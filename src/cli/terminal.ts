import { once } from "node:events";
import { clearLine, cursorTo } from "node:readline";
import { createInterface } from "node:readline/promises";

/** Where a command prints, and whom it may ask. */
export interface Terminal {
  /** Prints a line that the command was asked for. */
  print(text: string): void;
  /** Prints a line about the command itself, which no program reads. */
  note(text: string): void;
  /**
   * Shows a line that whatever comes next replaces, where a person watches; answers whether one
   * does. An empty line takes the last one away.
   */
  show(text: string): boolean;
  /** Whether a person sits in front of it. */
  readonly interactive: boolean;
  /** Asks a question that is answered with yes or no; anything but yes is no. */
  confirm(question: string): Promise<boolean>;
}

/** Creates the terminal of a process. */
export function createTerminal({
  stdin,
  stdout,
  stderr,
}: Pick<NodeJS.Process, "stdin" | "stdout" | "stderr">): Terminal {
  let isShowing = false;
  const clear = () => {
    if (!isShowing) return;
    cursorTo(stderr, 0);
    clearLine(stderr, 0);
    isShowing = false;
  };
  return {
    print(text) {
      clear();
      stdout.write(`${text}\n`);
    },
    note(text) {
      clear();
      stderr.write(`${text}\n`);
    },
    show(text) {
      if (!stderr.isTTY) return false;
      clear();
      // A line that wraps could not be taken away again.
      stderr.write([...text].slice(0, stderr.columns - 1).join(""));
      isShowing = text !== "";
      return true;
    },
    interactive: Boolean(stdin.isTTY && stderr.isTTY),
    async confirm(question) {
      const prompt = createInterface({ input: stdin, output: stderr });
      // Ctrl-C and Ctrl-D end the question without an answer.
      const closed = once(prompt, "close").then(() => "");
      const answered = prompt.question(`${question} [y/N] `).catch(() => "");
      try {
        return /^y(es)?$/i.test((await Promise.race([answered, closed])).trim());
      } finally {
        prompt.close();
      }
    },
  };
}
