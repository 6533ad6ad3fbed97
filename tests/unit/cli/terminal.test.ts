import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { createTerminal } from "../../../src/cli/terminal.ts";

/** A terminal on streams; `isTTY`: a person sits in front of it. */
function openTerminal({ isTTY }: { readonly isTTY: boolean }) {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const streams = {
    stdin: Object.assign(stdin, { isTTY }),
    stdout,
    stderr: Object.assign(stderr, { isTTY, columns: 80 }),
  };
  const terminal = createTerminal(streams as unknown as Parameters<typeof createTerminal>[0]);
  return {
    terminal,
    stdin,
    async shown() {
      stderr.end();
      stdout.end();
      return (await text(stderr)) + (await text(stdout));
    },
  };
}

describe("a secret", () => {
  test("is read from a person, and not shown", async () => {
    const { terminal, stdin, shown } = openTerminal({ isTTY: true });

    const answered = terminal.askSecret("Key: ");
    stdin.write("sgn_op_secret\r");

    expect(await answered).toBe("sgn_op_secret");
    expect(await shown()).toBe("Key: \n");
  });

  test("is the first line of what another program writes, with no question", async () => {
    const { terminal, stdin, shown } = openTerminal({ isTTY: false });

    const answered = terminal.askSecret("Key: ");
    stdin.end("sgn_op_secret\nmore\n");

    expect(terminal.interactive).toBe(false);
    expect(await answered).toBe("sgn_op_secret");
    expect(await shown()).toBe("");
  });

  test.each(["", "sgn_op_secret"])("may end without a line: %j", async (input) => {
    const { terminal, stdin } = openTerminal({ isTTY: false });

    const answered = terminal.askSecret("Key: ");
    stdin.end(input);

    expect(await answered).toBe(input);
  });
});

describe("a question", () => {
  test.each([
    ["y\n", true],
    ["YES\n", true],
    ["n\n", false],
    ["\n", false],
    ["yesterday\n", false],
  ])("answered with %j is %j", async (typed, expected) => {
    const { terminal, stdin } = openTerminal({ isTTY: true });

    const answered = terminal.confirm("Go on?");
    stdin.write(typed);

    expect(await answered).toBe(expected);
  });

  test("that nobody answers is answered with nothing", async () => {
    const { terminal, stdin } = openTerminal({ isTTY: true });

    const answered = terminal.ask("Name: ");
    stdin.end();

    expect(await answered).toBe("");
  });
});
