import type { Command } from "commander";
import { type AnswerOptions, addCommand } from "./answer.ts";
import { type ConfirmOptions, confirm, YES_FLAGS } from "./confirm.ts";
import { DEFAULT_URL, isExposed, requireUrl } from "./connection.ts";
import { type Context, UsageError } from "./context.ts";
import { hasKeyForm } from "./key-form.ts";
import { layOutTable } from "./layout.ts";
import { requireProfile } from "./profile-choice.ts";
import { PROFILE_NAME, profilePath, readProfiles, writeProfiles } from "./profile-file.ts";

interface AddOptions extends AnswerOptions {
  readonly url: string;
}

interface RemoveOptions extends AnswerOptions, ConfirmOptions {}

/** What is told of a profile: never its key. */
interface ProfileFacts {
  readonly name: string;
  readonly url: string;
  readonly key: "operator" | "site";
  readonly current: boolean;
}

/** Adds `signet profile …`. */
export function addProfileCommands(root: Command, context: Context): void {
  const profile = root
    .command("profile")
    .description("Keeps addresses and keys of Signets, each by a name.");
  addAdd(profile, context);
  addList(profile, context);
  addUse(profile, context);
  addRemove(profile, context);
}

function addAdd(profile: Command, context: Context): void {
  addCommand(profile, "add", {
    description:
      "Keeps where a Signet is, and a key for it. The key is asked for, or read from the " +
      "standard input, and never stands on a command line. It replaces one of the same name.",
    examples: [
      "signet profile add production --url https://id.example.com",
      "signet profile add local < .signet/operator-key",
    ],
  })
    .argument("<name>", "what to call it")
    .option("--url <url>", "where the Signet is", DEFAULT_URL)
    .action((name: string, options: AddOptions) => addProfile(context, name, options));
}

async function addProfile(context: Context, name: string, options: AddOptions): Promise<void> {
  if (!PROFILE_NAME.test(name)) {
    throw new UsageError("<name> must be 1 to 64 letters, digits, dots, dashes or underscores");
  }
  const url = requireUrl(options.url, "--url");
  const path = profilePath(context);
  const { current, profiles } = await readProfiles(path);
  const key = (await context.terminal.askSecret("Key: ")).trim();
  if (!hasKeyForm(key)) {
    throw new UsageError(
      "that is no key: one begins with sgn_op_ or sgn_site_, and is copied whole",
    );
  }
  const next = { current: current ?? name, profiles: { ...profiles, [name]: { url, key } } };
  const written = await writeProfiles(path, next);
  context.terminal.note(`The profile ${name} is kept in ${written}.`);
  if (isExposed(url))
    context.terminal.note(`${url} is not https://: the key can be read on the way.`);
  printFacts(context, options, next);
}

function addList(profile: Command, context: Context): void {
  addCommand(profile, "list", {
    description: "Lists the profiles, without their keys; the current one has a star.",
    examples: ["signet profile list", "signet profile list --json"],
  }).action(async (options: AnswerOptions) =>
    printFacts(context, options, await readProfiles(profilePath(context))),
  );
}

function addUse(profile: Command, context: Context): void {
  addCommand(profile, "use", {
    description: "Makes a profile the current one, which is taken where none is named.",
    examples: ["signet profile use production"],
  })
    .argument("<name>", "the profile")
    .action(async (name: string, options: AnswerOptions) => {
      const path = profilePath(context);
      const file = await readProfiles(path);
      requireProfile(file.profiles, name);
      const next = { ...file, current: name };
      await writeProfiles(path, next);
      printFacts(context, options, next);
    });
}

function addRemove(profile: Command, context: Context): void {
  addCommand(profile, "remove", {
    description: "Forgets a profile. Its key stays good: revoke it by `signet key revoke`.",
    examples: ["signet profile remove production --yes"],
  })
    .argument("<name>", "the profile")
    .option(...YES_FLAGS)
    .action(async (name: string, options: RemoveOptions) => {
      const path = profilePath(context);
      const { current, profiles } = await readProfiles(path);
      requireProfile(profiles, name);
      await confirm(context, `Forget the profile ${name} and its key?`, options);
      const { [name]: _, ...others } = profiles;
      const next = { current: current === name ? undefined : current, profiles: others };
      await writeProfiles(path, next);
      printFacts(context, options, next);
    });
}

function printFacts(
  { terminal }: Context,
  { json }: AnswerOptions,
  { current, profiles }: Awaited<ReturnType<typeof readProfiles>>,
): void {
  const facts = Object.entries(profiles)
    .map(([name, { url, key }]): ProfileFacts => {
      const kind = key.startsWith("sgn_op_") ? "operator" : "site";
      return { name, url, key: kind, current: name === current };
    })
    .sort((one, other) => one.name.localeCompare(other.name));
  terminal.print(json ? JSON.stringify({ profiles: facts }, undefined, 2) : layOut(facts));
}

function layOut(facts: readonly ProfileFacts[]): string {
  if (facts.length === 0) return "There are no profiles.";
  return layOutTable(
    ["name", "url", "key"],
    facts.map(({ name, url, key, current }) => [`${name}${current ? " *" : ""}`, url, key]),
  );
}
