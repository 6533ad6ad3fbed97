import type { Terminal } from "./terminal.ts";

/** What a command works with; the entry file builds it. */
export interface Context {
  /** Variables of the process. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly terminal: Terminal;
}

/** The command was called wrongly; it ends with code 2 and has done nothing. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** The command has done its work, and what it checked is not as it should be. */
export class CheckFailed extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.name = "CheckFailed";
    this.exitCode = exitCode;
  }
}
