import { Command } from "commander";
import { expect, test } from "vitest";
import { flagOf, flagsOf } from "../../../src/cli/field-flags.ts";

const command = new Command("try")
  .argument("<user>")
  .argument("[id]")
  .argument("[url]")
  .option("--site <id>")
  .option("--role <name>")
  .option("--frontend-url <url>")
  .option("--lifetime <name=seconds>")
  .option("--mail-name <name>")
  .option("--limit <n>")
  .option("--created-since <time>");

test("the flags of a command are its options and its arguments", () => {
  expect(flagsOf(command)).toEqual(expect.arrayContaining(["--site", "--limit", "<user>", "<id>"]));
});

test.each([
  ["frontend_url", "--frontend-url"],
  ["site_id", "--site"],
  ["roles", "--role"],
  ["roles[2]", "--role"],
  ["lifetimes.access_token_seconds", "--lifetime"],
  ["mail_sender.name", "--mail-name"],
  ["filter.create_time_from", "--created-since"],
  ["page_size", "--limit"],
  ["user_id", "<user>"],
  ["user.email", "<user>"],
  ["session_id", "<id>"],
  ["url", "<url>"],
])("the field %s is given by %s", (field, flag) => {
  expect(flagOf(field, flagsOf(command))).toBe(flag);
});

test("a field that no flag is for has none", () => {
  expect(flagOf("locale", flagsOf(command))).toBeUndefined();
});
