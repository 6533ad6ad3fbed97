import type { UserMirrorEvent, UserMirrorStatus } from "../client/index.ts";
import type { Context } from "./context.ts";
import { describeError } from "./error-line.ts";
import { createProgress } from "./progress.ts";
import { describeEvent, describeStatus } from "./status-line.ts";

/** How to report what a Mirror is doing. */
export interface ReporterOptions {
  /** What is mirrored, for people and programs. */
  readonly part: "users" | "revocations";
  /** Whether to print JSON, a line for each status, instead of lines for people. */
  readonly json?: true | undefined;
  /** After how many failures in a row to give up; default: never. */
  readonly failuresMax?: number | undefined;
}

/**
 * Reports what a Mirror is doing, until it closes.
 *
 * @throws what it closed with, or has failed with too often.
 */
export async function reportMirror(
  context: Context,
  status: AsyncIterable<UserMirrorStatus>,
  { part, json, failuresMax = Number.POSITIVE_INFINITY }: ReporterOptions,
): Promise<void> {
  const { terminal, environment } = context;
  const showProgress = createProgress(terminal, part);
  let last = "";
  for await (const present of status) {
    if (json) terminal.print(toJsonLine(part, present, environment));
    else if (present.type === "snapshot") showProgress(present.received, present.total);
    else {
      const line = `${part}: ${describeStatus(present, environment)}`;
      if (line !== last) terminal.print(line);
      last = line;
    }
    const gaveUp = present.type === "reconnecting" && present.attempt >= failuresMax;
    const error = gaveUp || present.type === "closed" ? present.error : undefined;
    if (error !== undefined) throw error;
  }
}

/** Reports what a person may have to look at. */
export function reportEvent(
  { terminal, environment }: Context,
  { json }: { readonly json?: true | undefined },
  event: UserMirrorEvent,
): void {
  if (json) terminal.print(toJsonLine("users", event, environment));
  else terminal.note(`users: ${describeEvent(event, environment)}`);
}

function toJsonLine(
  part: string,
  status: UserMirrorStatus | UserMirrorEvent,
  environment: Context["environment"],
): string {
  return JSON.stringify({ part, ...status }, (name, value: unknown) => {
    if (name === "error" && value !== undefined) return describeError(value, environment);
    return typeof value === "bigint" ? value.toString() : value;
  });
}
