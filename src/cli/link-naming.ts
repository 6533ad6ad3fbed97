import { UsageError } from "./context.ts";

/**
 * Reads a name that a person has given.
 *
 * @throws {UsageError} where it is none, which the client library calls a TypeError.
 */
export function readGivenName<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error;
  }
}
