import type { Readable } from "node:stream";

/** What a process has printed, and who waits for what in it. */
export interface Transcript {
  /** Resolves with the first match in all that was, or will be, printed. */
  waitFor(pattern: RegExp, what: string): Promise<RegExpExecArray>;
  /** Says that nothing more comes: whoever still waits is told why. */
  end(why: string): void;
  /** The last lines, to be shown when something went wrong. */
  tail(): string;
}

interface Wait {
  readonly pattern: RegExp;
  readonly what: string;
  readonly resolve: (match: RegExpExecArray) => void;
  readonly reject: (error: Error) => void;
}

const CHARACTERS_MAX = 1_000_000;
const TAIL_LINES = 20;

/** Writes down what arrives on the streams of a process. */
export function createTranscript(streams: readonly Readable[]): Transcript {
  const waits = new Set<Wait>();
  let text = "";
  let ended: string | undefined;

  function read(chunk: string): void {
    text = (text + chunk).slice(-CHARACTERS_MAX);
    for (const wait of waits) check(wait);
  }

  function check(wait: Wait): void {
    const match = wait.pattern.exec(text);
    if (match) {
      waits.delete(wait);
      wait.resolve(match);
    } else if (ended !== undefined) {
      waits.delete(wait);
      wait.reject(new Error(`${ended} before ${wait.what}`));
    }
  }

  for (const stream of streams) stream.setEncoding("utf8").on("data", read);

  return {
    waitFor: (pattern, what) =>
      new Promise((resolve, reject) => {
        const wait = { pattern, what, resolve, reject };
        waits.add(wait);
        check(wait);
      }),
    end(why) {
      ended = why;
      for (const wait of waits) check(wait);
    },
    tail: () => text.trimEnd().split("\n").slice(-TAIL_LINES).join("\n"),
  };
}
