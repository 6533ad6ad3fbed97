import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { boxWithSecret, openWithSecret } from "../../../src/crypto/secret-box.ts";
import { mintSiteSecret } from "../../../src/crypto/site-secret.ts";
import { newId, type SiteId } from "../../../src/model/id.ts";

const siteId = newId<SiteId>();
const predecessor = mintSiteSecret("refresh_token", siteId).text;
const successor = Buffer.from(mintSiteSecret("refresh_token", siteId).text.reveal());
const scope = { purpose: "refresh-successor", context: ["family-1"] };

describe("a box with a secret", () => {
  test("opens for the holder of the secret", () => {
    const box = boxWithSecret(predecessor, scope, successor);

    expect(openWithSecret(predecessor, scope, box)).toEqual(successor);
  });

  test("opens for no other secret, purpose or row", () => {
    const box = boxWithSecret(predecessor, scope, successor);
    const another = mintSiteSecret("refresh_token", siteId).text;

    expect(openWithSecret(another, scope, box)).toBeUndefined();
    expect(openWithSecret(predecessor, { ...scope, purpose: "other" }, box)).toBeUndefined();
    expect(openWithSecret(predecessor, { ...scope, context: ["family-2"] }, box)).toBeUndefined();
  });

  test("does not open with any bit altered", () => {
    const box = boxWithSecret(predecessor, scope, successor);
    fc.assert(
      fc.property(fc.nat({ max: box.length * 8 - 1 }), (bit) => {
        const altered = Buffer.from(box);
        altered.writeUInt8(altered.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);

        expect(openWithSecret(predecessor, scope, altered)).toBeUndefined();
      }),
    );
  });
});
