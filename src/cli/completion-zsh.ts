import type { CompletionNode, CompletionWord } from "./completion-tree.ts";

/** Writes the completion for zsh; it may be sourced, or lie as `_signet` in a folder of `fpath`. */
export function zshCompletion(nodes: readonly CompletionNode[]): string {
  return `#compdef signet
# Completion of signet for zsh: source <(signet completion zsh)
_signet_facts() {
  commands=() options=() valued=() choices=() files=""
  case "$1" in
${nodes.map(factsOf).join("\n")}
  esac
}

_signet_choices() {
  choices=() files=""
  case "$1" in
${nodes.flatMap(choicesOf).join("\n")}
  esac
}

_signet() {
  local place="signet" flag="" part="" files=""
  local -a commands options valued choices
  _signet_facts "$place"
  for part in "\${(@)words[2,CURRENT-1]}"; do
    if [[ -n $flag ]]; then
      flag=""
    elif (( \${valued[(Ie)$part]} )); then
      flag="$part"
    elif (( \${commands[(I)\${(b)part}:*]} )); then
      place+=" $part"
      _signet_facts "$place"
    fi
  done
  if [[ -n $flag ]]; then
    _signet_choices "$place $flag"
    if [[ -n $files ]]; then _files; else compadd -a choices; fi
  elif [[ \${words[CURRENT]} == -* ]]; then
    _describe -o option options
  else
    _describe command commands
    compadd -a choices
    if [[ -n $files ]]; then _files; fi
  fi
}

if [[ "\${funcstack[1]}" == _signet ]]; then
  _signet "$@"
else
  compdef _signet signet
fi`;
}

function factsOf({ path, commands, options, values, takesFile }: CompletionNode): string {
  const valued = options.filter(({ takesValue }) => takesValue).map(({ word }) => word);
  const facts = [
    `commands=(${commands.map(described).join(" ")})`,
    `options=(${options.map(described).join(" ")})`,
    `valued=(${valued.join(" ")})`,
    `choices=(${values.join(" ")})`,
    `files="${takesFile ? "1" : ""}"`,
  ];
  return `    "${path}") ${facts.join(" ")} ;;`;
}

function choicesOf({ path, options }: CompletionNode): string[] {
  return options
    .filter(({ values, takesFile }) => values.length > 0 || takesFile)
    .map(({ word, values, takesFile }) => {
      const what = takesFile ? 'files="1"' : `choices=(${values.join(" ")})`;
      return `    "${path} ${word}") ${what} ;;`;
    });
}

function described({ word, description }: CompletionWord): string {
  return `'${word}:${description.replaceAll("'", "'\\''")}'`;
}
