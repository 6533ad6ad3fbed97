import { pbkdf2Sync, scryptSync } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import * as bcrypt from "bcrypt";
import { describe, expect, test } from "vitest";
import { PasswordHashSchema } from "../../../gen/signet/v1/user_service_pb.ts";
import { readAppHash } from "../../../src/cli/link-password-hash.ts";
import { readImportedHash } from "../../../src/crypto/imported-hash.ts";
import { secret } from "../../../src/model/secret.ts";

const PASSWORD = "four quiet otters swim";
const SALT = "pepperless salt";

/** What Django and Werkzeug keep, made as their sources make it. */
const PBKDF2 = pbkdf2Sync(PASSWORD, SALT, 1_000, 32, "sha256");
const SCRYPT = scryptSync(PASSWORD, SALT, 64, { N: 1_024, r: 8, p: 1 });
const DJANGO = `pbkdf2_sha256$1000$${SALT}$${PBKDF2.toString("base64")}`;
const WERKZEUG = `pbkdf2:sha256:1000$${SALT}$${PBKDF2.toString("hex")}`;
const WERKZEUG_SCRYPT = `scrypt:1024:8:1$${SALT}$${SCRYPT.toString("hex")}`;

describe("readAppHash", () => {
  test.each([
    ["bcrypt", bcrypt.hashSync(PASSWORD, 4)],
    ["bcrypt of PHP", bcrypt.hashSync(PASSWORD, 4).replace("$2b$", "$2y$")],
    ["bcrypt of Django", `bcrypt$${bcrypt.hashSync(PASSWORD, 4)}`],
    ["scrypt of Werkzeug", WERKZEUG_SCRYPT],
  ])("hands %s on in a form that Signet checks", async (_, stored) => {
    const { scheme } = create(PasswordHashSchema, readAppHash(stored));
    if (scheme.case !== "encoded") throw new Error(`it is ${scheme.case}`);

    const verify = readImportedHash(scheme.value);

    expect(await verify?.(secret(PASSWORD))).toBe(true);
    expect(await verify?.(secret("another password"))).toBe(false);
  });

  test.each([
    ["Django", DJANGO],
    ["Werkzeug", WERKZEUG],
  ])("takes PBKDF2 of %s apart", (_, stored) => {
    const { scheme } = create(PasswordHashSchema, readAppHash(stored));
    if (scheme.case !== "pbkdf2") throw new Error(`it is ${scheme.case}`);
    const { digest, iterations, salt, hash } = scheme.value;

    expect(pbkdf2Sync(PASSWORD, salt, iterations, hash.length, digest)).toEqual(Buffer.from(hash));
  });

  test.each([
    "",
    "5f4dcc3b5aa765d61d8327deb882cf99",
    "four quiet otters swim",
    "{SSHA}x0bMpw==",
    "$6$rounds=5000$salt$hash",
    "md5$salt$hash",
    "bcrypt_sha256$$2b$12$abcdefghijklmnopqrstuv",
    "scrypt:1000:8:1$salt$00ff",
    `$2b$12$${"a".repeat(52)}`,
    `$argon2id$${"a".repeat(600)}`,
  ])("does not make out %s", (stored) => {
    expect(readAppHash(stored)).toBeUndefined();
  });
});
