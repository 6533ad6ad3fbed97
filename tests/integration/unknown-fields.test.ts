import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/signet/v1/access_pb.ts";
import { CreateApiKeyRequestSchema } from "../../gen/signet/v1/site_service_pb.ts";
import { openSiteOnService } from "../support/site-on-service.ts";

const opened = await openSiteOnService();
afterAll(() => opened[Symbol.asyncDispose]());
const { service, site, operator } = opened;

function createKey(body: string | Uint8Array<ArrayBuffer>, type: "json" | "proto") {
  return fetch(`${service.url}/signet.v1.SiteService/CreateApiKey`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${service.operatorKey}`,
      "content-type": `application/${type}`,
    },
    body,
  });
}

describe("what the contract does not have", () => {
  test.each([
    ["a misspelt field, without which a key never ends", { expireTim: "2099-01-01T00:00:00Z" }],
    ["a field of a name alike", { expiretime: "2099-01-01T00:00:00Z" }],
    ["a misspelt word of an enum", { scopes: ["SCOPE_AUTH", "SCOPE_SINK"] }],
  ])("is refused in JSON, and nothing is done: %s", async (_, more) => {
    const label = JSON.stringify(more);
    const request = { siteId: site.siteId, label, scopes: ["SCOPE_AUTH"], ...more };

    const answer = await createKey(JSON.stringify(request), "json");

    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      code: "invalid_argument",
      message: expect.stringMatching(/expireTim|expiretime|SCOPE_SINK/),
    });
    const { apiKeys } = await operator.sites.listApiKeys({ siteId: site.siteId });
    expect(apiKeys.map((key) => key.label)).not.toContain(label);
  });

  test("is passed over in binary, where a newer client has it", async () => {
    const request = { siteId: site.siteId, label: "newer", scopes: [Scope.AUTH] };
    const known = toBinary(CreateApiKeyRequestSchema, create(CreateApiKeyRequestSchema, request));
    const newer = Uint8Array.of(0xf8, 0x3f, 1); // Field 1023, a varint.

    const answer = await createKey(Uint8Array.of(...known, ...newer), "proto");

    expect(answer.status).toBe(200);
  });
});
