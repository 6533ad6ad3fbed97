import { readFileSync } from "node:fs";
import { runProgram } from "./programs.ts";

/** A guide whose shell lines a test runs, one after the other. */
export interface Guide {
  /** Runs the next block, with real values in place of its `<names>`, and returns the answer. */
  runNext(values?: Readonly<Record<string, string>>): Promise<Readonly<Record<string, unknown>>>;
  /** How many blocks were not run yet. */
  left(): number;
}

/** Reads a guide. Its first block is what the others build on. */
export function openGuide(name: string, environment: Readonly<Record<string, string>>): Guide {
  const text = readFileSync(`docs/guides/${name}.md`, "utf8");
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = ""]) => block);
  const setUp = blocks.shift() ?? "";
  return {
    async runNext(values = {}) {
      const block = blocks.shift();
      if (block === undefined) throw new Error(`docs/guides/${name}.md has no further block`);
      const filled = block.replace(/<([a-z ]+)>/g, (_, named: string) => {
        const value = values[named];
        if (value === undefined) throw new Error(`the test has no value for <${named}>`);
        return value;
      });
      const script = `${setUp}\n${filled}`;
      const { stdout, stderr } = await runProgram("bash", ["-c", script], environment);
      if (stdout === "") throw new Error(`no answer: ${stderr}`);
      return JSON.parse(stdout);
    },
    left: () => blocks.length,
  };
}
