import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  bytesAt,
  type FileRecord,
  isObject,
  millisecondsAt,
  objectAt,
  RecordError,
  type RowInit,
  textAt,
} from "./import-record.ts";

/**
 * Reads a User of a realm that Keycloak has exported. Roles are left out: what they allow in one
 * system says nothing about another.
 */
export function fromKeycloak(record: FileRecord): RowInit {
  const created = millisecondsAt(record, "createdTimestamp");
  const names = [textAt(record, "firstName"), textAt(record, "lastName")];
  const username = textAt(record, "username");
  const passwordHash = passwordOf(record);
  const locale = localeOf(record);
  return {
    externalId: textAt(record, "id"),
    email: textAt(record, "email"),
    emailVerified: record.emailVerified === true,
    // Realms may use the address as the username.
    username: username.includes("@") ? "" : username,
    displayName: names.filter(Boolean).join(" "),
    locale,
    disabled: record.enabled === false,
    ...(passwordHash && { passwordHash }),
    ...(created && { createTime: timestampFromDate(created) }),
  };
}

function localeOf(record: FileRecord): string {
  const locale = objectAt(record, "attributes")?.locale;
  return Array.isArray(locale) && typeof locale[0] === "string" ? locale[0] : "";
}

function passwordOf({ credentials = [] }: FileRecord): RowInit["passwordHash"] {
  if (!Array.isArray(credentials)) throw new RecordError("credentials", "must be a list");
  const password: unknown = credentials.find((one) => isObject(one) && one.type === "password");
  if (!isObject(password)) return undefined;
  const secret = objectAt(password, "secretData");
  const data = objectAt(password, "credentialData");
  if (!secret || !data) throw new RecordError("credentials", "has no secretData or credentialData");
  const salt = bytesAt(secret, "salt");
  const hash = bytesAt(secret, "value");
  const iterations = Number(data.hashIterations);
  const algorithm = textAt(data, "algorithm");
  switch (algorithm) {
    case "pbkdf2":
    case "pbkdf2-sha256":
    case "pbkdf2-sha512": {
      const digest = algorithm.slice("pbkdf2-".length) || "sha1";
      return { scheme: { case: "pbkdf2", value: { digest, iterations, salt, hash } } };
    }
    case "argon2": {
      const value = argon2Text(
        objectAt(data, "additionalParameters") ?? {},
        iterations,
        salt,
        hash,
      );
      return { scheme: { case: "encoded", value } };
    }
    default:
      throw new RecordError("credentials", `has a hash of an unknown kind: ${algorithm}`);
  }
}

const ARGON2_VERSIONS: Readonly<Record<string, number>> = { "1.0": 16, "1.3": 19 };

/** Keycloak keeps the parameters of Argon2 as lists of one text each. */
function argon2Text(
  parameters: FileRecord,
  passes: number,
  salt: Uint8Array,
  hash: Uint8Array,
): string {
  const first = (name: string, otherwise: string) => {
    const value = parameters[name];
    return Array.isArray(value) && value.length > 0 ? String(value[0]) : otherwise;
  };
  const version = ARGON2_VERSIONS[first("version", "1.3")] ?? 0;
  const costs = `m=${first("memory", "7168")},t=${passes},p=${first("parallelism", "1")}`;
  return `$argon2${first("type", "id")}$v=${version}$${costs}$${unpadded(salt)}$${unpadded(hash)}`;
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replaceAll("=", "");
}
