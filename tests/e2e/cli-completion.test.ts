import { beforeAll, describe, expect, test } from "vitest";
import { runProgram, runSignet } from "../support/programs.ts";

let script: string;

beforeAll(async () => {
  script = (await runSignet(["completion", "bash"], {})).stdout;
});

/** What bash offers for a line that ends at the cursor, split into words as bash splits it. */
async function complete(...words: readonly string[]): Promise<string[]> {
  const line = words.map((word) => `'${word}'`).join(" ");
  const { exitCode, stdout, stderr } = await runBash(`
    COMP_WORDS=(signet ${line})
    COMP_CWORD=${words.length}
    _signet
    printf '%s\\n' "\${COMPREPLY[@]}"`);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return stdout.split("\n").filter(Boolean);
}

function runBash(lines: string) {
  return runProgram("bash", ["--norc", "-c", `set -u\n${script}\n${lines}`]);
}

describe("signet completion bash", () => {
  test("is registered with bash for the word signet", async () => {
    const { stdout } = await runBash("complete -p signet");

    expect(stdout).toBe("complete -F _signet signet\n");
  });

  test("offers groups, and the commands of a group", async () => {
    expect(await complete("")).toEqual(expect.arrayContaining(["site", "user", "completion"]));
    expect(await complete("us")).toEqual(["user"]);
    expect(await complete("user", "di")).toEqual(["disable"]);
    expect(await complete("session", "revoke")).toEqual(["revoke", "revoke-all"]);
    expect(await complete("site", "mail-template", "d")).toEqual(["delete"]);
  });

  test("offers the options of the command, and those of every command", async () => {
    const ofUser = await complete("user", "get", "ada@example.com", "--");

    expect(ofUser).toEqual(expect.arrayContaining(["--site", "--json", "--profile", "--help"]));
    expect(ofUser).not.toContain("--mfa-policy");
    expect(await complete("site", "update", "--mfa")).toEqual(["--mfa-policy"]);
  });

  test("offers the words that a value may be, also after an equals sign", async () => {
    const policies = ["off", "optional", "required"];

    expect(await complete("site", "create", "--mfa-policy", "")).toEqual(policies);
    expect(await complete("site", "create", "--mfa-policy", "=")).toEqual(policies);
    expect(await complete("site", "create", "--mfa-policy", "=", "o")).toEqual(["off", "optional"]);
    expect(await complete("site", "mail-template", "set", "new")).toEqual(["new_device"]);
    expect(await complete("completion", "")).toEqual(expect.arrayContaining(["bash", "fish"]));
  });

  test("takes no value for a command", async () => {
    expect(await complete("--profile", "site", "us")).toEqual(["user"]);
    expect(await complete("user", "list", "--role", "")).toEqual([]);
  });
});

test.each(["bash", "zsh", "fish"])("knows every command and option in %s", async (shell) => {
  const { stdout, exitCode } = await runSignet(["completion", shell], {});

  expect(exitCode).toBe(0);
  for (const word of ["resend-verification", "revoke-all", "withdraw", "signing-algorithm"]) {
    expect(stdout).toContain(word);
  }
});

test("refuses a shell that it does not know", async () => {
  const { exitCode, stderr } = await runSignet(["completion", "tcsh"], {});

  expect(exitCode).toBe(2);
  expect(stderr).toContain("Allowed choices are bash, zsh, fish");
});
