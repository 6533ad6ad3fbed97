import { randomUUID } from "node:crypto";
import { type ContextValues, createContextKey } from "@connectrpc/connect";

/** What a caller may name a call: it goes into headers and the log as it is. */
const REQUEST_ID = /^[\w-]{1,64}$/;

const requestIdKey = createContextKey("", { description: "the call's name" });

/** Returns the id of a call: the one that its caller has given, if it is fit, or a new one. */
export function requestIdOf(given: string | null): string {
  return given !== null && REQUEST_ID.test(given) ? given : randomUUID();
}

/** Keeps the id of a call for those who come later. */
export function keepRequestId(values: ContextValues, requestId: string): void {
  values.set(requestIdKey, requestId);
}

/** Returns the id that was kept; empty: none was. */
export function keptRequestId(values: ContextValues): string {
  return values.get(requestIdKey);
}
