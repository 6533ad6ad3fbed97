import { ConnectError } from "@connectrpc/connect";
import { refusalOf } from "./builders.ts";

/** What a client may be told while processes die and come back, and load is shed. */
const PASSING = ["", "UNAVAILABLE", "SHUTTING_DOWN", "OVERLOADED", "TOO_MANY_STREAMS"];
const CUT = ["SLOW_CONSUMER", "CATCH_UP_BUSY"];

/**
 * Tells whether a failed call is to be tried again: the connection was lost or not made, or the
 * service has said so itself. Whatever else it says, of cursors above all, is unforeseen.
 */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  return [...PASSING, ...CUT].includes(refusalOf(error).reason);
}
