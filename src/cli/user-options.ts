import type { JsonObject } from "@bufbuild/protobuf";
import type { Command } from "commander";
import type { SignetClient } from "../client/index.ts";
import type { AnswerOptions } from "./answer.ts";
import { withClient } from "./connection.ts";
import type { Context } from "./context.ts";
import { jsonOption, listOption, present } from "./options.ts";
import { findUserId, parseUserName } from "./user-name.ts";

/** What every command about a User takes. */
export interface SiteOptions extends AnswerOptions {
  readonly site?: string;
}

/** What may be said of a User. */
export interface UserFields extends SiteOptions {
  readonly username?: string;
  readonly displayName?: string;
  readonly locale?: string;
  readonly role?: string[];
  readonly externalId?: string;
  readonly metadata?: JsonObject;
}

/** The flags of {@link SiteOptions}. */
export const SITE_FLAGS = ["--site <id>", "the User's Site; not needed with a site key"] as const;

/** The flags of the version that a change is meant for. */
export const VERSION_FLAGS = ["--expected-version <n>", "refuse unless the User is at it"] as const;

/** Adds the options of {@link UserFields}. */
export function addUserFields(command: Command): Command {
  return command
    .option(...SITE_FLAGS)
    .option("--username <name>", "a name to sign in with")
    .option("--display-name <name>", "the name to show")
    .option("--locale <tag>", "the language, such as de-AT")
    .addOption(listOption("--role <name>", "a role"))
    .option("--external-id <id>", "the User's id in another system")
    .addOption(jsonOption("--metadata <json>", "public attributes, as a JSON object"));
}

/** Returns the fields of a request that {@link UserFields} are about, but for the roles. */
export function userFieldsOf(options: UserFields) {
  const { site, username, displayName, locale, externalId, metadata } = options;
  return { siteId: site, username, displayName, locale, externalId, metadata };
}

/** Returns a version as the wire has it. */
export function toVersion(version: number | undefined): bigint | undefined {
  return version === undefined ? undefined : BigInt(version);
}

/** What a request about one User begins with. */
export interface UserRequest {
  readonly siteId?: string;
  readonly userId: string;
}

/** Finds the User whom an argument names, and works with what a request says of it. */
export async function withUser<T>(
  context: Context,
  { site }: SiteOptions,
  text: string,
  work: (client: SignetClient, user: UserRequest) => Promise<T>,
): Promise<T> {
  const name = parseUserName(text);
  return await withClient(context, async (client) => {
    const userId = await findUserId(client, site, name);
    return await work(client, { ...present({ siteId: site }), userId });
  });
}
