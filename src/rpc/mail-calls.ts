import type { ServiceImpl } from "@connectrpc/connect";
import type { SiteService } from "../../gen/signet/v1/site_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { retryMails } from "../domain/mail-retries.ts";
import { callerOf } from "./authorize.ts";

/** The calls about the mails that a Site has to send. */
export function mailCalls(deps: Deps) {
  return {
    async retryMails({ siteId: named }, { values }) {
      const caller = callerOf(values);
      return { retriedCount: await retryMails(deps, caller, siteOf(caller, named)) };
    },
  } satisfies Partial<ServiceImpl<typeof SiteService>>;
}
