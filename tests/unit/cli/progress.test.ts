import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { createProgress } from "../../../src/cli/progress.ts";
import { createTerminal, type Terminal } from "../../../src/cli/terminal.ts";

test("a bar is drawn anew in its line, and taken away before another line", () => {
  const { terminal, written } = openTerminal({ isTTY: true, columns: 80 });
  const show = createProgress(terminal, "users");

  show(0, 200);
  show(100, 200);
  terminal.note("live");

  const [, first, second, last] = written().split("users  ");
  expect(first).toContain("[........................]  0 of 200");
  expect(second).toContain("[############............]  100 of 200");
  expect(second?.endsWith("\u001b[1G\u001b[2Klive\n")).toBe(true);
  expect(last).toBeUndefined();
});

test("a bar is never wider than the terminal, since a line that wraps stays", () => {
  const { terminal, written } = openTerminal({ isTTY: true, columns: 20 });

  createProgress(terminal, "users")(100, 200);

  expect(written()).toHaveLength(19);
});

test("where nobody watches a line comes with each tenth", () => {
  const { terminal, written } = openTerminal({});
  const show = createProgress(terminal, "users");

  for (let done = 0; done <= 1_000; done += 5) show(done, 1_000);

  expect(written().trimEnd().split("\n")).toHaveLength(11);
  expect(written()).toContain("users: 1,000 of 1,000");
});

test("nothing to do is done", () => {
  const { terminal, written } = openTerminal({ isTTY: true, columns: 80 });

  createProgress(terminal, "users")(0, 0);

  expect(written()).toContain("[########################]  0 of 0");
});

/** A terminal whose lines about the command are read back. */
function openTerminal(tty: { readonly isTTY?: boolean; readonly columns?: number }): {
  readonly terminal: Terminal;
  readonly written: () => string;
} {
  const stderr = Object.assign(new PassThrough({ encoding: "utf8" }), tty);
  const { stdin, stdout } = process;
  const terminal = createTerminal({ stdin, stdout, stderr: stderr as never });
  let text = "";
  return { terminal, written: () => (text += stderr.read() ?? "") };
}
