import { createHash, createHmac, pbkdf2, randomBytes } from "node:crypto";
import { promisify } from "node:util";

/** What PostgreSQL itself uses; passwords here have 256 random bits, so more would not help. */
const ITERATIONS = 4_096;

/**
 * Returns what PostgreSQL stores of a password, so that the password itself is in no statement
 * and in no log of the server. Source: RFC 5802 §3, RFC 7677.
 *
 * The password must be ASCII: others would have to be prepared first (RFC 4013).
 */
export async function scramVerifier(password: string): Promise<string> {
  const salt = randomBytes(16);
  const salted = await promisify(pbkdf2)(password, salt, ITERATIONS, 32, "sha256");
  const storedKey = createHash("sha256").update(hmac(salted, "Client Key")).digest("base64");
  const serverKey = hmac(salted, "Server Key").toString("base64");
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
