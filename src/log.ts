import { type DestinationStream, destination, type Logger, pino } from "pino";
import type { LogLevel } from "./config-variables.ts";

/** A line for each call would be a system call for each, unless they are written together. */
const LINES_LENGTH_MAX = 16_384;
const LINES_MS_MAX = 50;
const WARNING = 40;

/**
 * Creates the log: one JSON object a line, on standard error. Lines wait for at most 50 ms,
 * warnings and errors not at all.
 *
 * `base` is in every line; `worker` is the one of several processes that serve.
 *
 * What gets in is named field by field where it is logged. Of errors, only the fields below do:
 * a driver's `detail` or `parameters`, and the text of a database error, can hold anything
 * that a caller has sent.
 */
export function createLogger(
  level: LogLevel,
  base: { readonly worker?: number | undefined } = {},
): Logger {
  return pino(
    { level, base, serializers: { err: serializeError } },
    lineBuffer(destination({ dest: 2, sync: true })),
  );
}

/** Writes lines together; what waits is written when the process ends, unless it is killed. */
function lineBuffer(output: DestinationStream) {
  let lines = "";
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const text = lines;
    lines = "";
    if (text !== "") output.write(text);
  };
  process.on("exit", flush);
  return {
    // Asks pino to set `lastLevel` before it writes a line.
    [pino.symbols.needsMetadataGsym]: true as const,
    lastLevel: 0,
    write(line: string) {
      lines += line;
      const isUrgent = this.lastLevel >= WARNING;
      if (isUrgent || lines.length >= LINES_LENGTH_MAX) flush();
      else timer ??= setTimeout(flush, LINES_MS_MAX).unref();
    },
  };
}

/** What the log may say of an error. */
export function serializeError(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { type: typeof error };
  const { code, constraint, reason, severity, cause } = error as Readonly<Record<string, unknown>> &
    Error;
  const fromDatabase = severity !== undefined;
  const frames = (error.stack ?? "").split("\n").filter((line) => line.startsWith("    at "));
  return {
    type: error.name,
    ...(fromDatabase ? {} : { message: error.message }),
    ...textFields({ code, constraint, reason }),
    stack: frames.join("\n"),
    ...(cause === undefined ? {} : { cause: serializeError(cause) }),
  };
}

function textFields(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => typeof value === "string"),
  );
}
