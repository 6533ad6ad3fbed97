import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { MfaPolicy, SiteSchema } from "../../../gen/signet/v1/site_pb.ts";
import { settingsOf, updateOf } from "../../../src/console/sites/settings.ts";

const site = create(SiteSchema, {
  id: "1",
  version: 7n,
  name: "Shop",
  domains: ["shop.example.com"],
  issuer: "https://id.example.com/sites/1",
  defaultAudience: "https://id.example.com/sites/1",
  mfaPolicy: MfaPolicy.OPTIONAL,
  lifetimes: { accessTokenSeconds: 900 },
});

test("an update names what was changed and the version that it was meant for", () => {
  const before = settingsOf(site);

  const update = updateOf(site, before, { ...before, name: "Books", domains: [] });

  expect(update).toEqual({
    siteId: "1",
    expectedVersion: 7n,
    name: "Books",
    domains: { domains: [] },
  });
});

test("an audience that is the issuer's is shown as none", () => {
  expect(settingsOf(site).defaultAudience).toBe("");
});
