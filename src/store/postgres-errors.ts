import { Failure } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";

/** SQLSTATE classes and codes that say: not now, another time. Source: PostgreSQL, Appendix A. */
const UNAVAILABLE = [
  /^08/, // connection exceptions
  /^53/, // insufficient resources, such as too many connections
  /^57P0/, // shut down by an administrator, crashed, starting up, idle for too long
  /^57014$/, // statement_timeout, or cancelled
  /^55P03$/, // lock_timeout
  /^25P0[34]$/, // idle_in_transaction_session_timeout, transaction_timeout
];

/** Codes after which the server has closed the connection. */
const CONNECTION_LOST = [/^08/, /^57P0/, /^25P0[34]$/];

const SOCKET_ERRORS = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "ENOENT",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

/** What `pg` and `pg-pool` say about a connection, which they give no code. */
const CONNECTION_MESSAGES =
  /^(Connection terminated|Client (has encountered|was closed)|timeout e|Cannot use a pool)/;

/** `pg` gives up waiting; the server may still be at work, so the connection is of no use. */
const QUERY_TIMEOUT_MESSAGE = "Query read timeout";

/** Tells whether the connection is gone or unusable, and must not go back to its pool. */
export function isConnectionLost(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined) {
    return SOCKET_ERRORS.has(code) || CONNECTION_LOST.some((pattern) => pattern.test(code));
  }
  const message = messageOf(error);
  return message === QUERY_TIMEOUT_MESSAGE || CONNECTION_MESSAGES.test(message);
}

/** Tells whether the same transaction may succeed when it is run again from its start. */
export function isContention(error: unknown): boolean {
  const code = codeOf(error);
  return code === "40001" || code === "40P01"; // serialization failure, deadlock
}

/**
 * Tells of a prepared statement whose columns a migration has changed, or that somebody has dropped
 * or made under its name: it is prepared anew when it is run again.
 */
export function isStalePlan(error: unknown): boolean {
  return ["0A000", "26000", "42P05"].includes(codeOf(error) ?? "");
}

/** Tells of an error of `pg` that a later attempt may overcome. */
export function isPassing(error: unknown): boolean {
  const code = codeOf(error) ?? "";
  return (
    isConnectionLost(error) ||
    isContention(error) ||
    UNAVAILABLE.some((pattern) => pattern.test(code))
  );
}

/**
 * Translates an error of `pg`: whatever a later attempt may overcome becomes the Failure
 * `unavailable`; everything else, a Failure among it, is returned as it is.
 */
export function toStoreError(error: unknown): unknown {
  if (error instanceof Failure || !isPassing(error)) return error;
  return new Failure(
    "unavailable",
    {},
    { retryDelayMs: LIMITS.databaseRetryDelayMs, cause: error },
  );
}

/**
 * Returns the name of the constraint that a statement violated: unique, foreign key, not null,
 * check or exclusion; undefined where the error is another one.
 */
export function constraintOf(error: unknown): string | undefined {
  if (!codeOf(error)?.startsWith("23")) return undefined;
  const { constraint } = error as { readonly constraint?: unknown };
  return typeof constraint === "string" ? constraint : undefined;
}

/** Returns the SQLSTATE or the code of the system call; undefined where there is none. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "";
}
