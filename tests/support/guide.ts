import { readFileSync } from "node:fs";
import { type ProgramResult, type RunningProgram, runProgram, startProgram } from "./programs.ts";

type Values = Readonly<Record<string, string>>;

/** A guide whose shell lines a test runs, one after the other. */
export interface Guide {
  /** Runs the next block, with real values in place of its `<names>`, and returns the answer. */
  runNext(values?: Values): Promise<Readonly<Record<string, unknown>>>;
  /** The same where what is printed is no JSON, or where the exit code matters. */
  endNext(values?: Values): Promise<ProgramResult>;
  /** Starts what the next block starts, and leaves it running. */
  startNext(values?: Values): RunningProgram;
  /** How many blocks were not run yet. */
  left(): number;
}

/**
 * Reads a guide. Its first block is what the others build on. `places` are the addresses and
 * folders that differ here from what a person has, and what to put in their place.
 */
export function openGuide(name: string, environment: Values, places: Values = {}): Guide {
  const text = Object.entries(places).reduce(
    (changed, [place, here]) => changed.replaceAll(place, here),
    readFileSync(`docs/guides/${name}.md`, "utf8"),
  );
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = ""]) => block);
  const setUp = blocks.shift() ?? "";
  const nextScript = (values: Values = {}): string => {
    const block = blocks.shift();
    if (block === undefined) throw new Error(`docs/guides/${name}.md has no further block`);
    const filled = block.replace(/<([a-z ]+)>/g, (_, named: string) => {
      const value = values[named];
      if (value === undefined) throw new Error(`the test has no value for <${named}>`);
      return value;
    });
    return `${setUp}\n${filled}`;
  };
  const endNext = (values?: Values) => runProgram("bash", ["-c", nextScript(values)], environment);
  return {
    endNext,
    async runNext(values) {
      const { stdout, stderr } = await endNext(values);
      if (stdout === "") throw new Error(`no answer: ${stderr}`);
      return JSON.parse(stdout);
    },
    startNext: (values) => startProgram("bash", ["-c", nextScript(values)], environment),
    left: () => blocks.length,
  };
}
