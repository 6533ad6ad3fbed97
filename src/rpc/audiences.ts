import { invalidField } from "../model/failure.ts";

const AUDIENCE = /^[\x21-\x7e]{1,200}$/;
const AUDIENCES_MAX = 8;
/** All of them go into each access token, which has at most 4 KiB. */
const AUDIENCES_LENGTH_MAX = 800;

/** Reads whom a token is for. @throws {Failure} `invalid_field` */
export function parseAudience(text: string, field: string): string {
  if (AUDIENCE.test(text)) return text;
  throw invalidField(field, "must have 1 to 200 characters of printable ASCII");
}

/** Reads a list of audiences. @throws {Failure} `invalid_field` */
export function parseAudiences(texts: readonly string[], field: string): string[] {
  if (texts.length > AUDIENCES_MAX) throw invalidField(field, `must be at most ${AUDIENCES_MAX}`);
  if (texts.join("").length > AUDIENCES_LENGTH_MAX) {
    throw invalidField(field, `must have at most ${AUDIENCES_LENGTH_MAX} characters together`);
  }
  return texts.map((text) => parseAudience(text, field));
}
