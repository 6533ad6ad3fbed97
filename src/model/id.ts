import { randomUUID } from "node:crypto";
import { invalidField } from "./failure.ts";

declare const brand: unique symbol;

/** A UUID of one kind of object, so that a User's id is never taken for a Site's. */
type Id<Kind extends string> = string & { readonly [brand]: Kind };

/** A Site's. */
export type SiteId = Id<"Site">;
/** A User's; a tombstone keeps it. */
export type UserId = Id<"User">;
/** A Session's: the claim `sid`. */
export type SessionId = Id<"Session">;
/** That of a change of address which waits for confirmation. */
export type EmailChangeId = Id<"EmailChange">;
/** A site key's or an operator key's; no part of its secret. */
export type ApiKeyId = Id<"ApiKey">;
/** A signing key's: the header `kid`. */
export type SigningKeyId = Id<"SigningKey">;
/** A Mirror's, which has made it itself. */
export type MirrorId = Id<"Mirror">;
/** A webhook's. */
export type WebhookId = Id<"Webhook">;
/** That of an attempt to sign in. */
export type AttemptId = Id<"Attempt">;
/** That of an event of the audit log. */
export type AuditEventId = Id<"AuditEvent">;
/** A User's, or one that stands for a name that no User has. */
export type AccountId = Id<"Account"> | UserId;

/** Any branded id; the type parameter of {@link newId} and {@link parseId}. */
export type AnyId =
  | SiteId
  | UserId
  | SessionId
  | EmailChangeId
  | ApiKeyId
  | SigningKeyId
  | MirrorId
  | WebhookId
  | AttemptId
  | AuditEventId
  | AccountId;

/** Stands for a Site where something concerns none, such as an operator key; no Site has it. */
export const NO_SITE = "00000000-0000-0000-0000-000000000000" as SiteId;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Where the random bits begin in the text of a UUIDv4, behind its version. */
const RANDOM_BEGIN = 15;

/** Makes a UUIDv7 (RFC 9562 §5.7): ids sort by creation time, to the millisecond. */
export function newId<T extends AnyId>(now: Date = new Date()): T {
  const time = now.getTime().toString(16).padStart(12, "0");
  // The random bits and the variant of a version 4, which Node makes from a stock of random bytes.
  const random = randomUUID().slice(RANDOM_BEGIN);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random}` as T;
}

/**
 * Reads an id in the canonical lower-case form; upper case is accepted and folded.
 *
 * @throws {Failure} `invalid_field`, naming `field`.
 */
export function parseId<T extends AnyId>(text: string, field: string): T {
  const id = text.toLowerCase();
  if (!UUID.test(id)) throw invalidField(field, text === "" ? "is required" : "must be a UUID");
  return id as T;
}

/** Reads an id that may be left out: the empty string means absent. */
export function parseOptionalId<T extends AnyId>(text: string, field: string): T | undefined {
  return text === "" ? undefined : parseId<T>(text, field);
}

/** Returns the 16 bytes of an id. */
export function idToBytes(id: AnyId): Buffer {
  return Buffer.from(id.replaceAll("-", ""), "hex");
}

/** Returns the id of exactly 16 bytes. */
export function idFromBytes<T extends AnyId>(bytes: Uint8Array): T {
  const hex = Buffer.from(bytes).toString("hex");
  return [8, 12, 16, 20, 32].map((end, n, ends) => hex.slice(ends[n - 1] ?? 0, end)).join("-") as T;
}
