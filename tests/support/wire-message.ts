import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/**
 * Messages of Protobuf by the numbers of their fields alone, as the other side's schema has them:
 * so that a number that is wrong in ours is seen.
 */
export type WireFields = readonly (readonly [field: number, value: WireValue])[];

/** A number, a text, or a message within. */
export type WireValue = number | string | WireFields;

/** Encodes a message. */
export function encodeFields(fields: WireFields): Uint8Array {
  const writer = new BinaryWriter();
  for (const [field, value] of fields) {
    if (typeof value === "number") writer.tag(field, WireType.Varint).uint64(value);
    else if (typeof value === "string") writer.tag(field, WireType.LengthDelimited).string(value);
    else writer.tag(field, WireType.LengthDelimited).bytes(encodeFields(value));
  }
  return writer.finish();
}

/** A message that was read: numbers, and the bytes of texts and messages, by field. */
export interface WireMessage {
  /** The number of a field; 0: it is not there. */
  number(field: number): number;
  text(field: number): string;
  texts(field: number): string[];
  /** The message of a field; undefined: it is not there. */
  message(field: number): WireMessage | undefined;
  messages(field: number): WireMessage[];
}

/** Reads a message. */
export function decodeFields(bytes: Uint8Array): WireMessage {
  const numbers = new Map<number, number>();
  const chunks = new Map<number, Uint8Array[]>();
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.Varint) numbers.set(field, Number(reader.uint64()));
    else if (type === WireType.LengthDelimited) {
      chunks.set(field, [...(chunks.get(field) ?? []), reader.bytes()]);
    } else throw new Error(`field ${field} has type ${type}`);
  }
  const all = (field: number) => chunks.get(field) ?? [];
  const texts = (field: number) => all(field).map((chunk) => Buffer.from(chunk).toString());
  const messages = (field: number) => all(field).map(decodeFields);
  return {
    number: (field) => numbers.get(field) ?? 0,
    text: (field) => texts(field).at(-1) ?? "",
    texts,
    message: (field) => messages(field).at(-1),
    messages,
  };
}
