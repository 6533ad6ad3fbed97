import { dictionary } from "@zxcvbn-ts/language-common";
import type { Secret } from "../model/secret.ts";

/** Some 49,000 passwords of the lists that guessers begin with, in lower case. */
const COMMON: ReadonlySet<string> = new Set(dictionary["passwords-common"]);

/** One thing written over and over is as easy to guess as the thing itself. */
const REPEATED = /^(.+?)\1+$/su;
const REPEATED_LENGTH_MAX = 4;

/**
 * Says whether a password is among the first that a guesser tries: a common one, in any case, or
 * something short or common written several times.
 */
export function isCommonPassword(password: Secret): boolean {
  const text = password.reveal().toLowerCase();
  if (COMMON.has(text)) return true;
  const unit = REPEATED.exec(text)?.[1];
  return unit !== undefined && (unit.length <= REPEATED_LENGTH_MAX || COMMON.has(unit));
}
