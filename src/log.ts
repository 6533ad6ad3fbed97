import { destination, type Logger, pino } from "pino";
import type { LogLevel } from "./config-variables.ts";

/**
 * Creates the log: one JSON object a line, on standard error.
 *
 * What gets in is named field by field where it is logged. Of errors, only the fields below do:
 * a driver's `detail` or `parameters`, and the text of a database error, can hold anything
 * that a caller has sent.
 */
export function createLogger(level: LogLevel): Logger {
  return pino(
    { level, base: null, serializers: { err: serializeError } },
    destination({ dest: 2, sync: true }),
  );
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
