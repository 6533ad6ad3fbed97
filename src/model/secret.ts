import { timingSafeEqual } from "node:crypto";
import { inspect } from "node:util";

/** A value that must not be printed: logs, JSON and templates show `[secret]` in its place. */
export interface Secret {
  /** Returns the value itself, at the one place that needs it. */
  reveal(): string;
}

/** Wraps a secret value. */
export function secret(value: string): Secret {
  return Object.freeze({
    reveal: () => value,
    toString: () => "[secret]",
    toJSON: () => "[secret]",
    [inspect.custom]: () => "[secret]",
  });
}

/** Compares two byte strings in time that depends on their lengths alone. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
