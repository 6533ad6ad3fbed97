import type { MessageInitShape } from "@bufbuild/protobuf";
import type { PasswordHashSchema } from "../../gen/signet/v1/user_service_pb.ts";

type PasswordHash = MessageInitShape<typeof PasswordHashSchema>;

/** Families that say themselves how they were made, as Signet reads them. */
const ENCODED =
  /^\$(2[aby]\$\d{2}\$[./A-Za-z0-9]{53}$|argon2(i|d|id)\$|scrypt\$|pbkdf2-sha(1|256|512)\$)/;
const ENCODED_LENGTH_MAX = 512;

const DJANGO_PBKDF2 = /^pbkdf2_(sha1|sha256|sha512)\$(\d{1,7})\$([^$]{1,64})\$([A-Za-z0-9+/]+=*)$/;
/** Django puts the name of its hasher before what the library has made. */
const DJANGO_PREFIX = /^(?:bcrypt\$(?=\$2)|argon2(?=\$argon2))/;
const WERKZEUG_PBKDF2 = /^pbkdf2:(sha1|sha256|sha512):(\d{1,7})\$([^$]{1,64})\$([0-9a-f]+)$/;
const WERKZEUG_SCRYPT = /^scrypt:(\d{1,8}):(\d{1,2}):(\d{1,2})\$([^$]{1,64})\$([0-9a-f]+)$/;

/**
 * Reads a hash as an app keeps it: bcrypt, argon2, scrypt and PBKDF2 in their usual forms, and
 * those of Django and Werkzeug. Undefined: it is of a kind that Signet cannot check.
 */
export function readAppHash(stored: string): PasswordHash | undefined {
  const text = stored.trim().replace(DJANGO_PREFIX, "");
  if (text.length > ENCODED_LENGTH_MAX) return undefined;
  if (ENCODED.test(text)) return { scheme: { case: "encoded", value: text } };
  const [, django, djangoRounds, djangoSalt = "", djangoKey = ""] = DJANGO_PBKDF2.exec(text) ?? [];
  if (django) return pbkdf2(django, djangoRounds, djangoSalt, Buffer.from(djangoKey, "base64"));
  const [, werkzeug, rounds, salt = "", key = ""] = WERKZEUG_PBKDF2.exec(text) ?? [];
  if (werkzeug) return pbkdf2(werkzeug, rounds, salt, Buffer.from(key, "hex"));
  return readWerkzeugScrypt(text);
}

/** Both take the salt as the text that it is written in. */
function pbkdf2(
  digest: string,
  rounds: string | undefined,
  salt: string,
  hash: Buffer<ArrayBuffer>,
): PasswordHash {
  const value = { digest, iterations: Number(rounds), salt: bytesOf(salt), hash };
  return { scheme: { case: "pbkdf2", value } };
}

function readWerkzeugScrypt(text: string): PasswordHash | undefined {
  const [, n, r, p, salt = "", key = ""] = WERKZEUG_SCRYPT.exec(text) ?? [];
  const logN = Math.log2(Number(n));
  if (!Number.isInteger(logN) || logN < 1) return undefined;
  const hash = toBase64(Buffer.from(key, "hex"));
  const value = `$scrypt$ln=${logN},r=${r},p=${p}$${toBase64(bytesOf(salt))}$${hash}`;
  return { scheme: { case: "encoded", value } };
}

function bytesOf(text: string): Buffer<ArrayBuffer> {
  return Buffer.from(text, "utf8");
}

function toBase64(bytes: Buffer): string {
  return bytes.toString("base64").replace(/=+$/, "");
}
