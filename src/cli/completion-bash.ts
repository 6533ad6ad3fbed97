import type { CompletionNode } from "./completion-tree.ts";

/** Writes the completion for bash, 3.2 or later. */
export function bashCompletion(nodes: readonly CompletionNode[]): string {
  return `# Completion of signet for bash: source <(signet completion bash)
_signet_facts() {
  commands="" options="" valued="" values="" files=""
  case "$1" in
${nodes.map(factsOf).join("\n")}
  esac
}

_signet_values() {
  values="" files=""
  case "$1" in
${nodes.flatMap(valuesOf).join("\n")}
  esac
}

_signet() {
  local word="\${COMP_WORDS[COMP_CWORD]}" path="signet" flag="" part i
  local commands options valued values files
  _signet_facts "$path"
  for ((i = 1; i < COMP_CWORD; i++)); do
    part="\${COMP_WORDS[i]}"
    if [[ $part == "=" ]]; then
      continue # Bash takes --flag=value for three words.
    elif [[ $flag ]]; then
      flag=""
    elif [[ " $valued " == *" $part "* ]]; then
      flag="$part"
    elif [[ " $commands " == *" $part "* ]]; then
      path+=" $part"
      _signet_facts "$path"
    fi
  done
  if [[ $word == "=" ]]; then word=""; fi
  if [[ $flag ]]; then
    _signet_values "$path $flag"
  elif [[ $word == -* ]]; then
    values="$options" files=""
  else
    values="$commands $values"
  fi
  if [[ $files ]]; then compopt -o default 2>/dev/null; fi
  COMPREPLY=($(compgen -W "$values" -- "$word"))
}

complete -F _signet signet`;
}

function factsOf({ path, commands, options, values, takesFile }: CompletionNode): string {
  const words = (list: readonly { readonly word: string }[]) =>
    list.map(({ word }) => word).join(" ");
  const facts = [
    ["commands", words(commands)],
    ["options", words(options)],
    ["valued", words(options.filter(({ takesValue }) => takesValue))],
    ["values", values.join(" ")],
    ["files", takesFile ? "1" : ""],
  ];
  const set = facts.filter(([, value]) => value).map(([name, value]) => `${name}="${value}"`);
  return `    "${path}") ${set.join(" ")} ;;`;
}

function valuesOf({ path, options }: CompletionNode): string[] {
  return options
    .filter(({ values, takesFile }) => values.length > 0 || takesFile)
    .map(({ word, values, takesFile }) => {
      const what = takesFile ? 'files="1"' : `values="${values.join(" ")}"`;
      return `    "${path} ${word}") ${what} ;;`;
    });
}
