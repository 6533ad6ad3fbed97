import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Site } from "../../gen/signet/v1/site_pb.ts";
import { NO_SITE } from "../../src/model/id.ts";
import {
  type Clients,
  clientsOf,
  createSite,
  openSite,
  refusal,
  type TestSite,
  unique,
} from "../support/builders.ts";
import { type InnerService, openInnerService } from "../support/inner-service.ts";

let opened: InnerService;
let operator: Clients;
let site: TestSite;

beforeAll(async () => {
  opened = await openInnerService();
  ({ operator } = opened);
});

beforeEach(async () => {
  site = await openSite(createGrpcTransport({ baseUrl: opened.url }), opened.operatorKey);
});

afterAll(() => opened[Symbol.asyncDispose]());

describe("the domains of a Site", () => {
  test("belong to one Site, in every spelling", async () => {
    const domain = `${unique("bücher")}.example`;
    await update({ domains: { domains: [domain] } });
    const other = await createSite(operator);

    for (const spelling of [domain, domain.toUpperCase(), new URL(`https://${domain}`).hostname]) {
      const taken = operator.sites.updateSite({
        siteId: other,
        domains: { domains: [`${unique("free")}.example`, spelling] },
      });
      expect(await refusal(taken)).toMatchObject({
        code: "AlreadyExists",
        reason: "DOMAIN_TAKEN",
        metadata: { domain: new URL(`https://${domain}`).hostname },
      });
    }
    const look = `${domain.replace("ü", "u")}`;
    await operator.sites.updateSite({ siteId: other, domains: { domains: [look] } });
    expect(await idAt(domain)).toBe(site.siteId);
    expect(await idAt(look)).toBe(other);
  });

  test("are free for others once they are given up", async () => {
    const { domains } = await siteNow();
    await update({ domains: { domains: [] } });

    const other = await createSite(operator, { domains });

    expect(await idAt(domains[0] ?? "")).toBe(other);
  });

  test("move between Sites in either order, and never to both", async () => {
    const other = await createSite(operator);
    const domain = `${unique("wanted")}.example`;
    const claims = [site.siteId, other].map((siteId) =>
      operator.sites.updateSite({ siteId, domains: { domains: [domain] } }).then(
        () => siteId,
        () => undefined,
      ),
    );

    const winners = (await Promise.all(claims)).filter(Boolean);

    expect(winners).toEqual([await idAt(domain)]);
  });
});

describe("ListSites", () => {
  test("has every Site once, in the order of their ids, over any pages", async () => {
    const prefix = unique("Paged");
    const wanted: string[] = [];
    for (let n = 0; n < 7; n += 1) {
      wanted.push(await createSite(operator, { name: `${prefix} ${n}` }));
    }

    for (const pageSize of [1, 3, 7, 50]) {
      expect(await listAll({ namePrefix: prefix, pageSize })).toEqual(wanted.toSorted());
    }
    const all = await listAll({ pageSize: 2 });
    expect(all).toEqual(all.toSorted());
    expect(new Set(all).size).toBe(all.length);
    expect(all).toEqual(expect.arrayContaining([...wanted, site.siteId]));
  });

  test("finds names by how they begin, in any case, and takes no pattern", async () => {
    const name = unique("Éclair 100%_");
    const id = await createSite(operator, { name });
    const find = (namePrefix: string) => listAll({ namePrefix });

    expect(await find(name)).toEqual([id]);
    expect(await find(name.toUpperCase())).toEqual([id]);
    expect(await find(name.slice(0, -1))).toEqual([id]);
    expect(await find(name.slice(1))).toEqual([]);
    expect(await find("Éclair 100_")).toEqual([]);
  });

  test("finds a Site by its domain", async () => {
    const { domains } = await siteNow();
    const [domain = ""] = domains;

    expect(await listAll({ domain: domain.toUpperCase() })).toEqual([site.siteId]);
    expect(await listAll({ domain, namePrefix: "No such name" })).toEqual([]);
    expect(await listAll({ domain: `${unique("none")}.example` })).toEqual([]);
  });

  test("answers with all settings, and short pages where Sites are large", async () => {
    const name = unique("Large");
    const long = (n: number) => `https://example.com/${"x".repeat(2_000)}${n}`;
    const redirectUrls = Array.from({ length: 24 }, (_, n) => long(n));
    for (let n = 0; n < 60; n += 1) await createSite(operator, { name, redirectUrls });

    const { sites, nextPageToken } = await operator.sites.listSites({
      namePrefix: name,
      pageSize: 500,
    });

    expect(sites.length).toBeGreaterThan(10);
    expect(sites.length).toBeLessThan(60);
    expect(sites[0]).toMatchObject({ redirectUrls });
    expect(nextPageToken).not.toBe("");
    expect(await listAll({ namePrefix: name, pageSize: 500 })).toHaveLength(60);
  });

  test("refuses a page token of another question", async () => {
    await createSite(operator);
    const { nextPageToken: pageToken } = await operator.sites.listSites({ pageSize: 1 });

    const refused = await refusal(operator.sites.listSites({ pageToken, namePrefix: "T" }));

    expect(refused).toMatchObject({ reason: "INVALID_PAGE_TOKEN" });
  });

  test("is for operators alone", async () => {
    expect(await refusal(site.backend.sites.listSites({}))).toMatchObject({
      reason: "ACCESS_DENIED",
    });
  });
});

describe("GetSiteByDomain", () => {
  test("answers anybody, with nothing but what a front end needs", async () => {
    const { domains } = await siteNow();
    const anybody = clientsOf(createGrpcTransport({ baseUrl: opened.url }));

    const { site: found } = await anybody.sites.getSiteByDomain({ domain: domains[0] ?? "" });

    expect(Object.keys(found ?? {}).filter((name) => !name.startsWith("$"))).toEqual([
      "id",
      "name",
      "frontendUrl",
      "selfRegistration",
      "publicCalls",
      "passwordLengthMin",
      "locale",
      "issuer",
    ]);
  });
});

test("GetSiteByDomain may be called by GET, and its answer kept for a minute", async () => {
  const { domains } = await siteNow();
  const get = async (domain: string) => {
    const url = new URL("/signet.v1.SiteService/GetSiteByDomain", opened.url);
    url.searchParams.set("encoding", "json");
    url.searchParams.set("message", JSON.stringify({ domain }));
    return await fetch(url);
  };

  const found = await get(domains[0] ?? "");
  const missing = await get(`${unique("none")}.example`);

  expect(await found.json()).toMatchObject({ site: { id: site.siteId } });
  expect(found.headers.get("cache-control")).toBe("public, max-age=60");
  expect(missing.status).toBe(404);
  expect(missing.headers.get("cache-control") ?? "").not.toMatch(/public/);
});

describe("an operator", () => {
  test("who names no Site that exists is told so, whatever it asks", async () => {
    const siteId = "0190a5d0-0000-7000-8000-00000000abcd";
    const { auth, sites, users } = operator;
    const calls = [
      () => users.getUser({ siteId, userId: siteId }),
      () => users.batchGetUsers({ siteId, userIds: [siteId] }),
      () => users.listAuditEvents({ siteId }),
      () => users.listAuditEvents({ siteId: NO_SITE }),
      () => sites.listApiKeys({ siteId }),
      () => sites.updateSite({ siteId }),
      () => sites.deleteSite({ siteId }),
      () => sites.deleteSite({ siteId: NO_SITE }),
      () => auth.revokeAllSessions({ siteId, userId: siteId }),
    ];

    for (const call of calls) {
      expect(await refusal(call()), String(call)).toMatchObject({ reason: "SITE_NOT_FOUND" });
    }
  });
});

const update = (changes: object) => operator.sites.updateSite({ siteId: site.siteId, ...changes });

async function siteNow(): Promise<Site> {
  const { site: found } = await operator.sites.getSite({ siteId: site.siteId });
  if (!found) throw new Error("no Site");
  return found;
}

async function listAll(request: object): Promise<string[]> {
  const ids: string[] = [];
  let pageToken = "";
  do {
    const page = await operator.sites.listSites({ ...request, pageToken });
    ids.push(...page.sites.map(({ id }) => id));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return ids;
}

async function idAt(domain: string): Promise<string | undefined> {
  return (await operator.sites.getSiteByDomain({ domain })).site?.id;
}
