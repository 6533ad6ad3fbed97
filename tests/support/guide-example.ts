import { readFileSync } from "node:fs";
import { type RunningProgram, startProgram } from "./programs.ts";
import { freePort } from "./service.ts";

/** A program of `examples/` that serves on a port of its own. */
export interface RunningExample extends AsyncDisposable {
  readonly url: string;
  readonly program: RunningProgram;
}

/** Starts an example that says when it is ready, by default on a port that nobody listens on. */
export async function startExample(
  name: string,
  environment: Readonly<Record<string, string>>,
): Promise<RunningExample> {
  const port = environment.PORT ?? `${await freePort()}`;
  const program = startProgram(process.execPath, [`examples/${name}.ts`], {
    ...environment,
    PORT: port,
  });
  await program.output.waitFor(/the app is ready/, `examples/${name}.ts`);
  return {
    url: `http://127.0.0.1:${port}`,
    program,
    async [Symbol.asyncDispose]() {
      await program.stop();
    },
  };
}

/** Returns the blocks that are in none of the examples. */
export function blocksBeside(blocks: readonly string[], examples: readonly string[]): string[] {
  const code = examples.map((name) => readFileSync(`examples/${name}`, "utf8"));
  return blocks.filter((block) => !code.some((text) => text.includes(block)));
}
