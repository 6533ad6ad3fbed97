import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";

/** An answer that is given again and again, and what it looks like on the wire. */
const encodings = new WeakMap<object, Uint8Array>();

/** Encodes a message once and for all: it must not change any more. Returns the message. */
export function keepEncoded<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
): MessageShape<Desc> {
  encodings.set(message, toBinary(schema, message));
  return message;
}

/** Returns what {@link keepEncoded} has made of this very message. */
export function encodedAnswer(message: object): Uint8Array | undefined {
  return encodings.get(message);
}
