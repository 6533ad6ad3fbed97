import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { Context } from "./context.ts";

/** What every command takes. */
export interface AnswerOptions {
  readonly json?: true;
}

/** Adds a command with examples to its help; its action and options are the caller's to add. */
export function addCommand(
  parent: Command,
  name: string,
  about: { readonly description: string; readonly examples: readonly string[] },
): Command {
  // A line that is indented goes on with the example above it.
  const examples = about.examples
    .map((line) => (line.startsWith(" ") ? `    ${line}` : `  $ ${line}`))
    .join("\n");
  return parent
    .command(name)
    .description(about.description)
    .option("--json", "print the answer as JSON, for programs")
    .addHelpText("after", `\nExamples:\n${examples}\n`);
}

/** Prints an answer: for people as `layOut` makes it, for programs in protobuf's JSON form. */
export function printAnswer<Desc extends DescMessage>(
  { terminal }: Context,
  options: AnswerOptions,
  schema: Desc,
  message: MessageShape<Desc>,
  layOut: (message: MessageShape<Desc>) => string,
): void {
  const text = options.json
    ? JSON.stringify(toJson(schema, message, { alwaysEmitImplicit: true }), undefined, 2)
    : layOut(message);
  terminal.print(text);
}
