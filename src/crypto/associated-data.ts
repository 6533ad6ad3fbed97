/** One part of what a box is bound to. */
export type ContextPart = string | Uint8Array;

/**
 * Joins the parts so that different lists never give the same bytes: each part stands behind
 * its length. ["ab", "c"] and ["a", "bc"] differ.
 */
export function associatedData(parts: readonly ContextPart[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const bytes = Buffer.from(part);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}
