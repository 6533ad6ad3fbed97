import type { Command } from "commander";

/** A command, or a group of commands, as a shell has to know it. */
export interface CompletionNode {
  /** The words that lead there, such as `signet user get`. */
  readonly path: string;
  readonly commands: readonly CompletionWord[];
  readonly options: readonly CompletionOption[];
  /** What its first argument may be, where that is one of a few words. */
  readonly values: readonly string[];
  /** Whether an argument is a file. */
  readonly takesFile: boolean;
}

/** A word, and what it is for. */
export interface CompletionWord {
  readonly word: string;
  readonly description: string;
}

/** An option; its word is the long form, such as `--site`. */
export interface CompletionOption extends CompletionWord {
  readonly takesValue: boolean;
  /** What its value may be, where that is one of a few words. */
  readonly values: readonly string[];
  /** Whether its value is a file. */
  readonly takesFile: boolean;
}

/** Lists the root, every group and every command of a command line. */
export function listCompletionNodes(root: Command): CompletionNode[] {
  return listBelow(root, root.name(), toOptions(root));
}

function listBelow(
  command: Command,
  path: string,
  global: readonly CompletionOption[],
): CompletionNode[] {
  const children = command.createHelp().visibleCommands(command);
  const [first] = command.registeredArguments;
  const own = toOptions(command).filter(({ word }) => !global.some((each) => each.word === word));
  const node = {
    path,
    commands: children.map((child) => ({ word: child.name(), description: summaryOf(child) })),
    options: [...own, ...global],
    values: first?.argChoices ?? [],
    takesFile: command.registeredArguments.some((argument) => argument.name() === "file"),
  };
  return [
    node,
    ...children.flatMap((child) => listBelow(child, `${path} ${child.name()}`, global)),
  ];
}

function toOptions(command: Command): CompletionOption[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long, flags, description, required, optional, argChoices = [] }) =>
      long
        ? {
            word: long,
            description: firstSentence(description),
            takesValue: required || optional,
            values: argChoices,
            takesFile: flags.endsWith("<file>"),
          }
        : [],
    );
}

function summaryOf(command: Command): string {
  return firstSentence(command.description());
}

/** A shell shows one line. */
function firstSentence(text: string): string {
  return text.replace(/[.:;] .*$/s, "").replace(/\.$/, "");
}
