import type { DescMethod } from "@bufbuild/protobuf";
import type { PublicOrigins } from "../domain/public-origins.ts";
import { addressGroup } from "../model/network-address.ts";
import type { Gate } from "./authorize.ts";

/** Creates what the server asks before it answers a browser on a page of another origin. */
export function createBrowserRules({ rules, limits }: Gate, origins: PublicOrigins) {
  return {
    /** RPCs that take no credential, or that of a User. */
    admits(method: DescMethod): boolean {
      const rule = rules.get(method);
      return rule !== undefined && (rule.public || rule.anyone || rule.user);
    },
    async knowsOrigin(origin: string, clientAddress: string): Promise<boolean> {
      limits.count({ by: "source", name: addressGroup(clientAddress) }, "plain");
      return await origins.has(origin);
    },
  };
}
