import { pbkdf2Sync, randomBytes, scryptSync } from "node:crypto";
import * as argon2 from "argon2";
import * as bcrypt from "bcrypt";
import { describe, expect, test } from "vitest";
import { readImportedHash } from "../../../src/crypto/imported-hash.ts";
import { secret } from "../../../src/model/secret.ts";

const password = "pässword with spaces";
const salt = Buffer.from("0123456789abcdef");
const base64 = (bytes: Buffer) => bytes.toString("base64").replaceAll("=", "");
const passlib = (bytes: Buffer) => base64(bytes).replaceAll("+", ".");

/** The example that Firebase publishes for its variant of scrypt. */
const FIREBASE =
  "$firebase-scrypt$n=14,r=8" +
  "$jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==" +
  "$Bw==$42xEC+ixf3L2lw==" +
  "$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";

describe("a hash of another system", () => {
  test.each<[string, string | Promise<string>, string]>([
    ["argon2id", argon2.hash(password, { memoryCost: 4_096 }), password],
    ["argon2i", argon2.hash(password, { memoryCost: 4_096, type: argon2.argon2i }), password],
    ["bcrypt", bcrypt.hash(password, 4), password],
    [
      "bcrypt of PHP",
      bcrypt.hash(password, 4).then((hash) => hash.replace("$2b", "$2y")),
      password,
    ],
    ["scrypt", `$scrypt$ln=12,r=8,p=1$${base64(salt)}$${base64(scrypted())}`, password],
    ["PBKDF2", `$pbkdf2-sha512$i=1000$${base64(salt)}$${base64(derived("sha512"))}`, password],
    [
      "passlib's PBKDF2",
      `$pbkdf2-sha256$1000$${passlib(salt)}$${passlib(derived("sha256"))}`,
      password,
    ],
    ["Firebase's scrypt", FIREBASE, "user1password"],
  ])("made by %s is checked", async (_name, hash, right) => {
    const verify = readImportedHash(await hash);

    expect(await verify?.(secret(right))).toBe(true);
    expect(await verify?.(secret(`${right}x`))).toBe(false);
  });

  const bytes = base64(randomBytes(32));
  test.each([
    ["takes a gigabyte", `$argon2id$v=19$m=1048576,t=1,p=1$${bytes}$${bytes}`],
    ["takes a minute", `$argon2id$v=19$m=262144,t=10,p=1$${bytes}$${bytes}`],
    ["takes many threads", `$argon2id$v=19$m=4096,t=1,p=255$${bytes}$${bytes}`],
    ["takes 2^31 rounds", `$2b$31$${"a".repeat(53)}`],
    ["takes too much memory", `$scrypt$ln=22,r=8,p=1$${bytes}$${bytes}`],
    ["takes too much at Firebase", `$firebase-scrypt$n=22,r=8$${bytes}$${bytes}$${bytes}$${bytes}`],
    ["takes too many rounds", `$pbkdf2-sha256$i=9999999$${bytes}$${bytes}`],
    ["has no rounds", `$pbkdf2-sha256$i=0$${bytes}$${bytes}`],
    ["has no hash", `$scrypt$ln=12,r=8,p=1$${bytes}$`],
    ["is of another kind", "$1$salt$hash"],
    ["is no hash", "password"],
    ["is too long", `$pbkdf2-sha256$1000$${bytes}$${"a".repeat(600)}`],
  ])("that %s is refused", (_name, hash) => {
    expect(readImportedHash(hash)).toBeUndefined();
  });
});

function scrypted(): Buffer {
  return scryptSync(password, salt, 32, { N: 4_096, r: 8, p: 1 });
}

function derived(digest: string): Buffer {
  return pbkdf2Sync(password, salt, 1_000, 32, digest);
}
