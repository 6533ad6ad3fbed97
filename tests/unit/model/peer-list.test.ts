import { describe, expect, test } from "vitest";
import { mintSiteSecret } from "../../../src/crypto/site-secret.ts";
import { newId, type SiteId } from "../../../src/model/id.ts";
import { readPeers } from "../../../src/model/peer-list.ts";

const peerSiteId = newId<SiteId>();
const key = mintSiteSecret("site_key", peerSiteId).text.reveal();
const siteId = newId<SiteId>();
const entry = { name: "shop", url: "https://id.example/", key, site_id: siteId };

describe("readPeers", () => {
  test.each(["", "  \n", "[]"])("reads %j as no peer", (text) => {
    expect(readPeers(text)).toEqual({ peers: [], problems: [] });
  });

  test("reads an entry, with what is taken by default and the Site of the key", () => {
    const { peers, problems } = readPeers(JSON.stringify([entry]));

    expect(problems).toEqual([]);
    expect(peers).toMatchObject([
      {
        name: "shop",
        url: "https://id.example",
        siteId,
        peerSiteId,
        userFields: [
          "display_name",
          "email",
          "email_verified",
          "locale",
          "picture_url",
          "username",
        ],
        emailDomains: [],
        sync: false,
      },
    ]);
    expect(peers[0]?.key.reveal()).toBe(key);
  });

  test("reads what differs from the defaults", () => {
    const more = { user_fields: ["username"], email_domains: ["Bücher.example"], sync: true };

    const { peers } = readPeers(JSON.stringify([{ ...entry, ...more }]));

    const emailDomains = ["xn--bcher-kva.example"];
    expect(peers).toMatchObject([{ userFields: ["username"], emailDomains, sync: true }]);
  });

  test.each([
    ["{", "must be a JSON list of peers: see docs/guides/peers.md"],
    ['{"name":"shop"}', "must be a JSON list of peers: see docs/guides/peers.md"],
  ])("refuses %j as a whole", (text, problem) => {
    expect(readPeers(text)).toEqual({ peers: [], problems: [problem] });
  });

  test.each([
    ["a list of nothing", null, "entry 1: must be an object"],
    ["a further member", { ...entry, keys: "x" }, /^entry "shop": may have only name, url/],
    ["no name", { ...entry, name: undefined }, "entry 1: name is missing"],
    ["a name that is a key", { ...entry, name: key }, /^entry 1: name must have 1 to 64/],
    ["no URL", { ...entry, url: "id.example" }, 'entry "shop": url must be an absolute URL'],
    ["a password in the URL", { ...entry, url: "https://u:p@id.example" }, /: url must not have/],
    ["a query in the URL", { ...entry, url: "https://id.example/?a" }, /: url must have no query/],
    ["an operator key", { ...entry, key: `sgn_op_${"a".repeat(43)}` }, /: key must be a site key/],
    ["no Site", { ...entry, site_id: "main" }, 'entry "shop": site_id must be a UUID'],
    ["roles among the fields", { ...entry, user_fields: ["email", "roles"] }, /: user_fields may/],
    [
      "no name to find it by",
      { ...entry, user_fields: ["locale"] },
      /: user_fields must have email/,
    ],
    [
      "no domain",
      { ...entry, email_domains: ["a b"] },
      /: email_domains must be a list of domains/,
    ],
    ["an empty list of domains", { ...entry, email_domains: [] }, /: email_domains must be/],
    ["another kind of sync", { ...entry, sync: "yes" }, 'entry "shop": sync must be true or false'],
  ])("names the entry that has %s, and shows no value", (_, wrong, problem) => {
    const { peers, problems } = readPeers(JSON.stringify([wrong]));

    expect(peers).toEqual([]);
    expect(problems).toEqual([expect.stringMatching(problem)]);
    expect(problems.join()).not.toContain(key);
  });

  test("refuses two of a name", () => {
    const { problems } = readPeers(JSON.stringify([entry, entry]));

    expect(problems).toEqual(['entry "shop": name is taken twice']);
  });
});
