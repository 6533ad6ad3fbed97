import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type {
  ImportRow as ImportRowMessage,
  PasswordHash as PasswordHashMessage,
} from "../../gen/signet/v1/user_service_pb.ts";
import type { AdoptHash } from "../domain/imported-passwords.ts";
import { parseEmailAddress } from "../model/email-address.ts";
import { Failure, invalidField } from "../model/failure.ts";
import { parseOptionalId, type UserId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { parseMetadata } from "../model/metadata.ts";
import { parseRoles } from "../model/role.ts";
import { parseLocale, parseText } from "../model/text.ts";
import type { ForeignHash, ImportedFields, ImportRow, ReadRow } from "../model/user-import.ts";
import { parseUsername } from "../model/username.ts";
import { parseExternalId } from "./convert-user.ts";
import { parsePictureUrl } from "./user-request.ts";

/** What rows are read by. */
export interface RowRules {
  readonly adoptHash: AdoptHash;
  readonly now: Date;
}

/** A clock over there may be a little fast. */
const FUTURE_MS_MAX = 24 * 60 * 60 * 1_000;
const TIME_MIN = new Date("1970-01-01T00:00:00Z");

/** Reads a row; one that is wrong becomes its refusal. */
export function readImportRow(message: ImportRowMessage, rules: RowRules): ReadRow {
  try {
    return parseRow(message, rules);
  } catch (failure) {
    if (failure instanceof Failure) return { row: Number(message.row), failure };
    throw failure;
  }
}

function parseRow(message: ImportRowMessage, { adoptHash, now }: RowRules): ImportRow {
  const id = parseOptionalId<UserId>(message.id, "id");
  const fields = parseFields(message);
  if (!id && fields.externalId === undefined && fields.email === undefined) {
    throw invalidField("email", "is required without an id and an external_id");
  }
  return {
    row: Number(message.row),
    id,
    fields,
    emailVerified: message.emailVerified,
    password: adoptHash(toForeignHash(message.passwordHash)),
    disabled: message.disabled,
    createTime: message.createTime && parseCreateTime(message.createTime, now),
  };
}

/** What is empty says nothing. */
function parseFields(message: ImportRowMessage): ImportedFields {
  const { email, username, pictureUrl, locale, roles, externalId } = message;
  const max = LIMITS.nameLengthMax;
  const displayName =
    message.displayName && parseText(message.displayName, "display_name", { max });
  const metadata = parseMetadata(message.metadata, "metadata");
  return {
    ...(email && { email: parseEmailAddress(email, "email") }),
    ...(username && { username: parseUsername(username, "username") }),
    ...(displayName && { displayName }),
    ...(pictureUrl && { pictureUrl: parsePictureUrl(pictureUrl) }),
    ...(locale && { locale: parseLocale(locale, "locale") }),
    ...(roles.length > 0 && { roles: parseRoles(roles, "roles") }),
    ...(externalId && { externalId: parseExternalId(externalId, "external_id") }),
    ...(metadata && { metadata }),
  };
}

function parseCreateTime(time: Timestamp, now: Date): Date {
  const date = timestampDate(time);
  if (date >= TIME_MIN && date.getTime() <= now.getTime() + FUTURE_MS_MAX) return date;
  throw invalidField("create_time", "must be a time since 1970, and not in the future");
}

function toForeignHash(message: PasswordHashMessage | undefined): ForeignHash | undefined {
  if (!message) return undefined;
  const { scheme } = message;
  switch (scheme.case) {
    case "encoded":
      return { scheme: "encoded", encoded: scheme.value };
    case "pbkdf2":
      return { scheme: "pbkdf2", ...scheme.value };
    case "firebaseScrypt":
      return { scheme: "firebase_scrypt", ...scheme.value };
    case "peppered":
      return { scheme: "peppered", ...scheme.value };
    case undefined:
      throw invalidField("password_hash", "has no scheme");
  }
}
