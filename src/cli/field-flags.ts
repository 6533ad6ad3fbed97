import type { Command } from "commander";

/** Fields whose flags do not follow from their names. */
const FLAGS: Readonly<Record<string, string>> = {
  mail_sender: "--mail-address",
  "mail_sender.address": "--mail-address",
  "mail_sender.name": "--mail-name",
  create_time_from: "--created-since",
  update_time_from: "--updated-since",
  time_from: "--since",
  time_until: "--until",
  page_size: "--limit",
  user: "<user>",
  user_id: "<user>",
};

/** Lists the flags and the arguments of a command, such as `--site` and `<user>`. */
export function flagsOf(command: Command): string[] {
  const flags = command.options.flatMap(({ long }) => long ?? []);
  return [...flags, ...command.registeredArguments.map((argument) => `<${argument.name()}>`)];
}

/**
 * Finds the flag or argument of a command by which a field of a request is given, such as `--site`
 * for `site_id` and `--role` for `roles[1]`; undefined: there is none.
 */
export function flagOf(field: string, flags: readonly string[]): string | undefined {
  const path = field.replace(/\[\d+\]/g, "").replace(/^(filter|template)\./, "");
  const [whole = ""] = path.split(".");
  const guesses = [path, whole].flatMap((name) => [FLAGS[name], ...guessesOf(name)]);
  return guesses.find((guess) => guess !== undefined && flags.includes(guess));
}

function guessesOf(name: string): string[] {
  const flag = `--${name.replaceAll("_", "-")}`;
  const ids = name.endsWith("_id") ? [flag.replace(/-id$/, ""), "<id>"] : [];
  return [flag, flag.replace(/s$/, ""), ...ids, `<${name}>`];
}
