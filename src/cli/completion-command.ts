import { Argument, type Command } from "commander";
import { bashCompletion } from "./completion-bash.ts";
import { fishCompletion } from "./completion-fish.ts";
import { type CompletionNode, listCompletionNodes } from "./completion-tree.ts";
import { zshCompletion } from "./completion-zsh.ts";
import type { Context } from "./context.ts";

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

const EXAMPLES = `
Examples:
  $ signet completion bash              # prints the script
  $ source <(signet completion bash)    # in ~/.bashrc
  $ source <(signet completion zsh)     # in ~/.zshrc, after compinit
  $ signet completion fish | source     # in ~/.config/fish/config.fish
`;

/** Adds `signet completion`, the last of the commands: it knows those that are there. */
export function addCompletionCommand(root: Command, { terminal }: Context): void {
  const shells = Object.keys(SHELLS);
  root
    .command("completion")
    .description("Prints a script with which a shell completes the words of this command line.")
    .addArgument(new Argument("<shell>", "the shell").choices(shells))
    .addHelpText("after", EXAMPLES)
    .action((shell: keyof typeof SHELLS) => {
      const write: (nodes: readonly CompletionNode[]) => string = SHELLS[shell];
      terminal.print(write(listCompletionNodes(root)));
    });
}
