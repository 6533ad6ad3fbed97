import { type Failure, invalidField } from "./failure.ts";
import { LIMITS } from "./limits.ts";
import { canonicalDomain } from "./url.ts";

declare const brand: unique symbol;

/** An e-mail address in its one canonical form: two addresses are the same if the strings are. */
export type EmailAddress = string & { readonly [brand]: "EmailAddress" };

/** Dot-atom of RFC 5322 §3.2.3, ASCII only: a letter that looks like another never gets in. */
const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const LOCAL_PART_LENGTH_MAX = 64; // RFC 5321 §4.5.3.1.1.

/**
 * Reads an e-mail address and returns its canonical form: no space around it, all in lower
 * case, the domain in its ASCII form (IDNA).
 *
 * Quoted local parts, IP literals and domains without a dot are refused, as is every control
 * character, so an address can stand in a mail header as it is. At most 254 characters.
 *
 * @throws {Failure} `invalid_field`, naming `field`.
 */
export function parseEmailAddress(text: string, field: string): EmailAddress {
  const address = trimSpaces(text);
  if (address === "") throw invalidField(field, "is required");
  if (address.length > LIMITS.emailLengthMax) throw tooLong(field);
  const at = address.lastIndexOf("@");
  const localPart = address.slice(0, Math.max(at, 0));
  const domain = canonicalDomain(address.slice(at + 1));
  if (!isLocalPart(localPart) || !domain?.includes(".")) {
    throw invalidField(field, "must be an e-mail address");
  }
  const canonical = `${localPart.toLowerCase()}@${domain}`;
  if (canonical.length > LIMITS.emailLengthMax) throw tooLong(field); // Punycode is longer.
  return canonical as EmailAddress;
}

/** A plain loop, as a pattern such as / +$/ takes quadratic time on hostile text. */
function trimSpaces(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && text[start] === " ") start++;
  while (end > start && text[end - 1] === " ") end--;
  return text.slice(start, end);
}

function isLocalPart(text: string): boolean {
  return text.length <= LOCAL_PART_LENGTH_MAX && LOCAL_PART.test(text);
}

function tooLong(field: string): Failure {
  return invalidField(field, `must have at most ${LIMITS.emailLengthMax} characters`);
}
