import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  mintOperatorKey,
  mintSiteSecret,
  operatorKeyHash,
  readSiteSecret,
  type SiteSecretKind,
} from "../../../src/crypto/site-secret.ts";
import { newId, parseId, type SiteId } from "../../../src/model/id.ts";

const KINDS: readonly SiteSecretKind[] = ["site_key", "refresh_token", "one_time_token"];
const siteId = newId<SiteId>();

describe("a Site's secret", () => {
  test.each(KINDS)("of kind %s says its Site and hashes as it was minted", (kind) => {
    fc.assert(
      fc.property(fc.uuid(), (uuid) => {
        const site = parseId<SiteId>(uuid, "site_id");
        const minted = mintSiteSecret(kind, site);

        expect(readSiteSecret(kind, minted.text.reveal())).toEqual({
          siteId: site,
          hash: minted.hash,
        });
      }),
    );
  });

  test("has a prefix that scanners can find and 256 random bits", () => {
    const [first, second] = [
      mintSiteSecret("site_key", siteId),
      mintSiteSecret("site_key", siteId),
    ];

    expect(first.text.reveal()).toMatch(/^sgn_site_[A-Za-z0-9_-]{64}$/);
    expect(mintSiteSecret("refresh_token", siteId).text.reveal()).toMatch(/^sgn_rt_.{64}$/);
    expect(mintSiteSecret("one_time_token", siteId).text.reveal()).toMatch(/^sgn_ot_.{64}$/);
    expect(first.text.reveal()).not.toBe(second.text.reveal());
  });

  test("shows itself in no print", () => {
    const minted = mintSiteSecret("site_key", siteId);

    expect(inspect(minted) + JSON.stringify(minted)).not.toContain("sgn_site_");
  });

  test.each(KINDS)("of kind %s is none of another kind", (kind) => {
    const text = mintSiteSecret(kind, siteId).text.reveal();

    for (const other of KINDS.filter((candidate) => candidate !== kind)) {
      expect(readSiteSecret(other, text)).toBeUndefined();
    }
  });

  test("hashes differently for each kind, though the random part is the same", () => {
    const text = mintSiteSecret("refresh_token", siteId).text.reveal();
    const renamed = text.replace("sgn_rt_", "sgn_ot_");

    const hashes = [
      readSiteSecret("refresh_token", text)?.hash,
      readSiteSecret("one_time_token", renamed)?.hash,
    ];

    expect(hashes[0]).not.toEqual(hashes[1]);
  });

  test("is read in its canonical form only", () => {
    const text = mintSiteSecret("site_key", siteId).text.reveal();
    const spellings = [
      "",
      `${text}=`,
      `${text}A`,
      text.slice(0, -1),
      ` ${text}`,
      `${text}\n`,
      text.toUpperCase(),
      `${text.slice(0, -1)}+`,
      `${text.slice(0, -1)}.`,
      `sgn_site_${"/".repeat(64)}`,
      `sgn_site_${"é".repeat(64)}`,
    ];

    for (const spelling of spellings) {
      expect(readSiteSecret("site_key", spelling)).toBeUndefined();
    }
  });

  test("has another hash for any other text", () => {
    const minted = mintSiteSecret("site_key", siteId);
    fc.assert(
      fc.property(fc.integer({ min: 9, max: 72 }), fc.base64String({ minLength: 4 }), (at, by) => {
        const text = minted.text.reveal();
        const letter = by.replaceAll(/[+/=]/g, "_").charAt(0);
        if (text[at] === letter) return;
        const changed = text.slice(0, at) + letter + text.slice(at + 1);

        expect(readSiteSecret("site_key", changed)?.hash).not.toEqual(minted.hash);
      }),
    );
  });
});

describe("an operator key", () => {
  test("hashes as it was minted", () => {
    const minted = mintOperatorKey();

    expect(minted.text.reveal()).toMatch(/^sgn_op_[A-Za-z0-9_-]{43}$/);
    expect(operatorKeyHash(minted.text.reveal())).toEqual(minted.hash);
  });

  test("is read in its canonical form only", () => {
    const text = `sgn_op_${"A".repeat(43)}`;

    expect(operatorKeyHash(text)).toBeDefined();
    expect(operatorKeyHash(`sgn_op_${"A".repeat(42)}B`)).toBeUndefined(); // Unused bits set.
    expect(operatorKeyHash(`${text}=`)).toBeUndefined();
    expect(operatorKeyHash(text.replace("sgn_op_", "sgn_rt_"))).toBeUndefined();
  });
});
