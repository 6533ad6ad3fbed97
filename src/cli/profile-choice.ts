import { type Context, UsageError } from "./context.ts";
import { type Profile, profilePath, readProfiles } from "./profile-file.ts";

/** The variables that a profile stands for. */
export type ProfileVariables = Readonly<Record<"SIGNET_URL" | "SIGNET_KEY", string>>;

/**
 * Returns what the profile that applies puts in place of variables; undefined: none applies.
 *
 * One that is named on the command line applies always. Else the variables SIGNET_URL and
 * SIGNET_KEY go first, if either is set, and no profile is mixed with them: a key must not get to
 * the Signet of another. Then comes the one that SIGNET_PROFILE names, then the current one.
 *
 * @throws {UsageError} where the profile is not there, or the file cannot be trusted.
 */
export async function chooseProfile(
  context: Pick<Context, "environment">,
  named: string | undefined,
): Promise<ProfileVariables | undefined> {
  const { SIGNET_URL, SIGNET_KEY, SIGNET_PROFILE } = context.environment;
  if (named === undefined && (SIGNET_URL || SIGNET_KEY)) return undefined;
  const file = await readProfiles(profilePath(context));
  const name = named ?? (SIGNET_PROFILE || file.current);
  if (name === undefined) return undefined;
  const { url, key } = requireProfile(file.profiles, name);
  return { SIGNET_URL: url, SIGNET_KEY: key };
}

/** @throws {UsageError} where there is no such profile. */
export function requireProfile(profiles: Readonly<Record<string, Profile>>, name: string): Profile {
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (profile) return profile;
  const known = Object.keys(profiles).sort().join(", ") || "none";
  throw new UsageError(`there is no profile ${name}; there are: ${known}`);
}
