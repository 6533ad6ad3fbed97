import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decrypt, encrypt } from "../../../src/crypto/aead.ts";

const nonce = Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWX");
const plaintext = Buffer.from("XAES-256-GCM");

describe("XAES-256-GCM", () => {
  /** Test vectors of the specification (c2sp.org/XAES-256-GCM), one with each carry. */
  test.each([
    [0x01, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"],
    [0x03, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"],
  ])("gives the ciphertext of the published vector with key %i", (byte, bound, ciphertext) => {
    const box = encrypt(Buffer.alloc(32, byte), Buffer.from(bound), plaintext, nonce);

    expect(box.toString("hex")).toBe(nonce.toString("hex") + ciphertext);
    expect(decrypt(Buffer.alloc(32, byte), Buffer.from(bound), box)).toEqual(plaintext);
  });

  test("opens what it sealed, and never seals alike twice", () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(key, bytes, bytes, (secretKey, bound, content) => {
        const box = encrypt(secretKey, bound, content);

        expect(decrypt(secretKey, bound, box)).toEqual(Buffer.from(content));
        expect(encrypt(secretKey, bound, content)).not.toEqual(box);
      }),
    );
  });

  test("does not open a box that is cut short", () => {
    const box = encrypt(Buffer.alloc(32, 1), Buffer.alloc(0), plaintext);

    expect(box.length).toBeGreaterThan(plaintext.length);
    for (let length = 0; length < box.length; length++) {
      const cut = box.subarray(0, length);
      expect(decrypt(Buffer.alloc(32, 1), Buffer.alloc(0), cut)).toBeUndefined();
    }
  });
});
