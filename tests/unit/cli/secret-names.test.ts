import { expect, test } from "vitest";
import { looksSecret } from "../../../src/cli/secret-names.ts";

test.each([
  "password",
  "hashed_password",
  "passwordHash",
  "password_hash",
  "pwd",
  "salt",
  "mfa_secret",
  "totp_seed",
  "recovery_codes",
  "reset_token",
  "refreshToken",
  "private_key",
  "apiKey",
  "oauth_credentials",
  "login_otp",
])("%s looks like a secret", (name) => {
  expect(looksSecret(name, "text")).toBe(true);
});

test.each([
  ["plan_tier", "text"],
  ["full_name", "text"],
  ["feature_flags", "jsonb"],
  ["hashtag", "text"],
  ["shipping_address", "text"],
  ["salted_butter", "text"],
  ["options", "jsonb"],
  ["password_changed_at", "timestamp with time zone"],
  ["has_password", "boolean"],
])("%s %s does not", (name, type) => {
  expect(looksSecret(name, type)).toBe(false);
});
