/** Writes the value of a parameter as PostgreSQL reads it: objects as JSON, lists as arrays. */
export function toParameter(value: unknown): string | Buffer | null {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return toBuffer(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return `{${value.map(toElement).join(",")}}`;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function toElement(value: unknown): string {
  const text = toParameter(value);
  if (text === null) return "NULL";
  if (typeof text !== "string") return `"\\\\x${text.toString("hex")}"`;
  return Array.isArray(value) ? text : `"${escapeElement(text)}"`;
}

/** Hardly any text has what must be escaped, and a search tells so faster than a replacement. */
function escapeElement(text: string): string {
  if (!text.includes('"') && !text.includes("\\")) return text;
  return text.replaceAll(/["\\]/g, "\\$&");
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
