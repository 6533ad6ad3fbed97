import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config.ts";
import { hasKnownPassword } from "../../src/model/known-password.ts";

type Variables = Readonly<Record<string, string>>;

const RANDOM = randomBytes(32);
const TEXT = Buffer.from("correct horse battery staple 123");
const COUNTED = Buffer.from(Array.from({ length: 32 }, (_, n) => n));
const HOSTED: Variables = {
  DATABASE_URL: "postgres://signet_app:5d1b0c8e9f7a@127.0.0.1/signet",
  ...operatorKey(RANDOM),
  ...masterKey(RANDOM),
};

/** What is wrong with the secrets, how they are set, and what the refusal says of it. */
const SECRETS: readonly (readonly [string, Variables, string])[] = [
  ["a missing operator key", { SIGNET_OPERATOR_KEY: "" }, "SIGNET_OPERATOR_KEY is required with"],
  ["missing master keys", { SIGNET_MASTER_KEYS: "" }, "SIGNET_MASTER_KEYS is required with"],
  ["a short operator key", { SIGNET_OPERATOR_KEY: "sgn_op_short" }, "(see .env.example)"],
  [
    "an operator key of zeros",
    operatorKey(Buffer.alloc(32)),
    "repeats one byte (see .env.example)",
  ],
  [
    "an operator key that is text",
    operatorKey(TEXT),
    "is text, not random bytes (see .env.example)",
  ],
  ["a short master key", masterKey(RANDOM.subarray(16)), "version 1 has 16 bytes instead of 32"],
  ["a counted master key", masterKey(COUNTED), "version 1 counts up or down (see .env.example)"],
  ["a word as master key", { SIGNET_MASTER_KEYS: "1:changeme" }, "version 1 has 6 bytes"],
  ["the default password", databaseUrl("DATABASE_URL", "postgres"), "make one by `openssl rand"],
  [
    "the role's name",
    databaseUrl("DATABASE_URL", "signet_app"),
    "DATABASE_URL has a password that",
  ],
  ["a word, encoded", databaseUrl("DATABASE_DIRECT_URL", "%53ecret"), "DATABASE_DIRECT_URL has a"],
  ["a word in capitals", databaseUrl("DATABASE_OWNER_URL", "CHANGEME"), "DATABASE_OWNER_URL has a"],
  [
    "the mail server's",
    { SMTP_URL: "smtp://mailer:example@127.0.0.1", SMTP_FROM: "a@example.com" },
    "SMTP_URL has a password that everybody knows",
  ],
];

describe("a secret that is none", () => {
  test.each(SECRETS)("is refused, naming the setting and the remedy: %s", (_name, wrong, text) => {
    const [setting = "", value = ""] = Object.entries(wrong)[0] ?? [];

    const parse = () => parseConfig({ ...HOSTED, ...wrong });

    expect(parse).toThrow(text);
    expect(parse).toThrow(setting);
    if (value !== "") expect(parse).not.toThrow(value);
  });

  test("is no other one, and none that is not there", () => {
    expect(() => parseConfig(HOSTED)).not.toThrow();
    expect(hasKnownPassword("postgres://signet_app@127.0.0.1/signet")).toBe(false);
    expect(hasKnownPassword("postgres://signet_app:%zz@127.0.0.1/signet")).toBe(false);
    expect(hasKnownPassword(`smtp://a:${RANDOM.toString("hex")}@127.0.0.1`)).toBe(false);
  });
});

function operatorKey(bytes: Buffer): Variables {
  return { SIGNET_OPERATOR_KEY: `sgn_op_${bytes.toString("base64url")}` };
}

function masterKey(bytes: Buffer): Variables {
  return { SIGNET_MASTER_KEYS: `1:${bytes.toString("base64")}` };
}

function databaseUrl(name: string, password: string): Variables {
  return { [name]: `postgres://signet_app:${password}@127.0.0.1/signet` };
}
