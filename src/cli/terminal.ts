import { once } from "node:events";
import { clearLine, cursorTo } from "node:readline";
import { createInterface, type Interface } from "node:readline/promises";
import { Writable } from "node:stream";

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
  /** Asks for a line; empty where the person leaves without an answer. */
  ask(question: string): Promise<string>;
  /**
   * Asks for a line that is not shown while it is typed. Where nobody sits there, it is the first
   * line that another program has written.
   */
  askSecret(question: string): Promise<string>;
}

/** Creates the terminal of a process. */
export function createTerminal({
  stdin,
  stdout,
  stderr,
}: Pick<NodeJS.Process, "stdin" | "stdout" | "stderr">): Terminal {
  const interactive = Boolean(stdin.isTTY && stderr.isTTY);
  let isShowing = false;
  const clear = () => {
    if (!isShowing) return;
    cursorTo(stderr, 0);
    clearLine(stderr, 0);
    isShowing = false;
  };
  const ask = (question: string) =>
    readLine(createInterface({ input: stdin, output: stderr }), question);
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
    interactive,
    ask,
    confirm: async (question) => /^y(es)?$/i.test((await ask(`${question} [y/N] `)).trim()),
    async askSecret(question) {
      if (!interactive) return await readFirstLine(createInterface({ input: stdin }));
      stderr.write(question);
      // The terminal is in raw mode then, so that nothing echoes what is typed.
      const prompt = createInterface({ input: stdin, output: createSink(), terminal: true });
      const answer = await readLine(prompt, "");
      stderr.write("\n");
      return answer;
    },
  };
}

/** Reads one line; Ctrl-C, Ctrl-D and the end of the input end it without an answer. */
async function readLine(prompt: Interface, question: string): Promise<string> {
  const closed = once(prompt, "close").then(() => "");
  const answered = prompt.question(question).catch(() => "");
  try {
    return await Promise.race([answered, closed]);
  } finally {
    prompt.close();
  }
}

/** The last line may lack its end. */
async function readFirstLine(lines: Interface): Promise<string> {
  for await (const line of lines) return line;
  return "";
}

/** What is written there is seen by nobody. */
function createSink(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
