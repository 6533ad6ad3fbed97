import type { DescService } from "@bufbuild/protobuf";
import type { Caller } from "../../src/model/caller.ts";
import { Failure } from "../../src/model/failure.ts";
import type { SiteId } from "../../src/model/id.ts";
import { readAccessRules } from "../../src/rpc/access-rules.ts";
import type { Gate } from "../../src/rpc/authorize.ts";

const KEY: Extract<Caller, { kind: "site_key" }> = {
  kind: "site_key",
  siteId: "0190a0b0-0000-7000-8000-000000000001" as SiteId,
  keyId: "0190a0b0-0000-7000-8000-000000000002" as Extract<Caller, { kind: "site_key" }>["keyId"],
  scopes: ["sync", "auth"],
  userFields: [],
  expireTime: undefined,
};

/** Makes a gate that knows two site keys, one with scopes, by what they are called. */
export function scriptedGate(service: DescService): Gate {
  return {
    rules: readAccessRules([service]),
    authentication: {
      async authenticate(authorization: string | null): Promise<Caller> {
        if (authorization === null) return { kind: "anonymous" };
        if (authorization === "Bearer good") return KEY;
        if (authorization === "Bearer narrow") return { ...KEY, scopes: [] };
        if (authorization === "Bearer away") throw new Error("the database is away");
        throw new Failure("credential_invalid");
      },
    },
    sites: {
      get: () => Promise.reject(new Failure("site_not_found")),
      apply: () => undefined,
    },
    limits: { count: () => undefined, refused: () => [] },
    publicUrl: "https://id.signet.test",
  };
}
