import type { ServiceImpl } from "@connectrpc/connect";
import type { SiteService } from "../../gen/signet/v1/site_service_pb.ts";
import type { Deps } from "../domain/deps.ts";
import { apiKeyCalls } from "./api-key-calls.ts";
import { mailCalls } from "./mail-calls.ts";
import { mailTemplateCalls } from "./mail-template-calls.ts";
import { siteCalls } from "./site-calls.ts";

/** Implements `signet.v1.SiteService`. */
export function siteService(deps: Deps): ServiceImpl<typeof SiteService> {
  return {
    ...siteCalls(deps),
    ...apiKeyCalls(deps),
    ...mailTemplateCalls(deps),
    ...mailCalls(deps),
  };
}
