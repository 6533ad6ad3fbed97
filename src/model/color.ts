import { invalidField } from "./failure.ts";

declare const brand: unique symbol;

/** A colour of sRGB: `#` and six hexadecimal digits, in lower case. */
export type Color = string & { readonly [brand]: "Color" };

const COLOR = /^#[0-9a-f]{6}$/;

/** Reads a colour, such as `#0B7A4B`. @throws {Failure} `invalid_field` */
export function parseColor(text: string, field: string): Color {
  const color = text.toLowerCase();
  if (!COLOR.test(color)) throw invalidField(field, "must be a colour such as #0b7a4b");
  return color as Color;
}
