import type { CompletionNode, CompletionOption } from "./completion-tree.ts";

/** Writes the completion for fish, 3.0 or later. */
export function fishCompletion(nodes: readonly CompletionNode[]): string {
  const [root] = nodes;
  const groups = nodes.filter(({ commands }) => commands.length > 0);
  const valued = root?.options.filter(({ takesValue }) => takesValue) ?? [];
  return `# Completion of signet for fish: signet completion fish | source
function __signet_place
    set -l place signet
    set -l skip ""
    for part in (commandline -opc)[2..-1]
        if test -n "$skip"
            set skip ""
        else if contains -- "$part" ${valued.map(({ word }) => word).join(" ")}
            set skip 1
        else if contains -- "$place $part" ${pathsBelow(groups).map(quote).join(" ")}
            set place "$place $part"
        end
    end
    echo "$place"
end

function __signet_at
    test (__signet_place) = "$argv"
end

complete -c signet -f
${nodes.flatMap(linesOf).join("\n")}`;
}

function pathsBelow(groups: readonly CompletionNode[]): string[] {
  return groups.flatMap(({ path, commands }) => commands.map(({ word }) => `${path} ${word}`));
}

function linesOf({ path, commands, options, values, takesFile }: CompletionNode): string[] {
  const at = `complete -c signet -n ${quote(`__signet_at ${path}`)}`;
  return [
    ...commands.map(({ word, description }) => `${at} -a ${word} -d ${quote(description)}`),
    ...values.map((value) => `${at} -a ${value}`),
    ...(takesFile ? [`${at} -F`] : []),
    ...options.map((option) => `${at} ${optionOf(option)}`),
  ];
}

function optionOf({ word, description, takesValue, values, takesFile }: CompletionOption): string {
  const parts = ["-l", word.replace(/^--/, ""), "-d", quote(description)];
  if (takesValue) parts.push(takesFile ? "-rF" : "-x");
  if (values.length > 0) parts.push("-a", quote(values.join(" ")));
  return parts.join(" ");
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
