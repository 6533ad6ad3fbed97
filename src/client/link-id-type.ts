/** A type that the ids of an app's own users may have. */
export interface AppIdType {
  /** As statements name it; without a length, since a cast to one would cut text off. */
  readonly name: string;
  /** Whether the text is an id of this type: what is not would be an error of the statement. */
  fits(text: string): boolean;
}

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

const FITS: Readonly<Record<string, (text: string) => boolean>> = {
  smallint: isInteger(16),
  integer: isInteger(32),
  bigint: isInteger(64),
  uuid: (text) => UUID.test(text),
  text: isText,
  "character varying": isText,
};

/**
 * Reads the name of a type, as `format_type` writes it.
 *
 * @throws {TypeError} where it is none that ids may have.
 */
export function readAppIdType(column: string, name: string): AppIdType {
  // An extension's type stands in whatever schema it was created in.
  const fits = /(^|\.)"?citext"?$/.test(name) ? isText : FITS[name];
  if (fits) return { name, fits };
  const known = [...Object.keys(FITS), "citext"].join(", ");
  throw new TypeError(`${column} is of type ${name}, and ids must be of one of: ${known}`);
}

function isInteger(bits: number): (text: string) => boolean {
  const end = 2n ** BigInt(bits - 1);
  return (text) => {
    if (!/^-?(0|[1-9]\d{0,18})$/.test(text)) return false;
    const value = BigInt(text);
    return value >= -end && value < end;
  };
}

function isText(text: string): boolean {
  return !text.includes("\0");
}
