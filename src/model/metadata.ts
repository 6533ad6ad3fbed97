import { invalidField } from "./failure.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import { LIMITS } from "./limits.ts";

/** Of the name of an attribute, in what is told of it. */
const NAME_LENGTH_SHOWN = 64;

/**
 * Reads the public attributes of a User: at most 8 KiB as JSON, nested at most 16 deep, and of
 * nothing but what JSON and PostgreSQL can both hold. No attributes at all are undefined.
 *
 * The depth is bounded since a Change that holds the attributes must be decoded by any client,
 * and protobuf libraries stop at 100 messages within each other, of which a level takes three.
 *
 * @throws {Failure} `invalid_field`, naming `field` and the attribute.
 */
export function parseMetadata(
  metadata: JsonObject | undefined,
  field: string,
): JsonObject | undefined {
  if (!metadata || Object.keys(metadata).length === 0) return undefined;
  for (const [name, value] of Object.entries(metadata)) {
    checkText(name, field);
    checkValue(value, `${field}.${shortened(name)}`, 1);
  }
  const text = JSON.stringify(metadata);
  if (Buffer.byteLength(text) > LIMITS.metadataBytesMax) {
    throw invalidField(field, `must have at most ${LIMITS.metadataBytesMax} bytes as JSON`);
  }
  return metadata;
}

/** `path` names the attribute, so that the sender of a large object finds the fault. */
function checkValue(value: JsonValue, path: string, depth: number): void {
  if (typeof value === "string") checkText(value, path);
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw invalidField(path, "must be a finite number");
  }
  if (typeof value !== "object" || value === null) return;
  if (depth === LIMITS.metadataDepthMax) {
    throw invalidField(path, `must be nested at most ${LIMITS.metadataDepthMax} deep`);
  }
  for (const [name, part] of Object.entries(value)) {
    checkText(name, path);
    checkValue(part, path, depth + 1);
  }
}

/** A name may be as long as a message, and an error goes into headers. */
function shortened(name: string): string {
  if (name.length <= NAME_LENGTH_SHOWN) return name;
  return `${name.slice(0, NAME_LENGTH_SHOWN).toWellFormed()}…`;
}

function checkText(text: string, path: string): void {
  if (!text.isWellFormed()) throw invalidField(path, "must be well-formed Unicode");
  if (text.includes("\0")) throw invalidField(path, "must not hold NUL characters");
}
