/**
 * Reads base64url without padding (RFC 4648 §5) in its one canonical spelling.
 *
 * Undefined for anything else. Node's own decoder skips what it does not know, and ignores
 * the unused bits of the last letter, so many texts would stand for the same bytes.
 */
export function decodeBase64Url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined;
}
