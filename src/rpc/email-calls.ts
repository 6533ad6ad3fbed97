import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { AuthService } from "../../gen/signet/v1/auth_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { confirmEmailChange, requestEmailChange } from "../domain/email-change.ts";
import { resendVerification } from "../domain/email-verification.ts";
import { checkOneTimeToken } from "../domain/one-time-check.ts";
import { parseEmailAddress } from "../model/email-address.ts";
import { callerOf, subjectOf } from "./authorize.ts";
import { clientOf } from "./convert-session.ts";
import {
  parseDelivery,
  parseRedirectUrl,
  parseToken,
  purposeToMessage,
  toOneTimeToken,
} from "./one-time-fields.ts";

/** The calls about a User's address and the tokens that prove it. */
export function emailCalls(deps: Deps) {
  return {
    async resendVerification(request, context) {
      const caller = callerOf(context.values);
      const siteId = siteOf(caller, request.siteId);
      const { site } = await deps.sites.get(siteId);
      const token = await resendVerification(deps, caller, siteId, {
        email: parseEmailAddress(request.email, "email"),
        redirectUrl: parseRedirectUrl(request.redirectUrl, site),
        returnToken: parseDelivery(request.delivery, caller),
        client: clientOf(request.client, context),
      });
      return token ? { oneTimeToken: toOneTimeToken(token) } : {};
    },

    async checkOneTimeToken(request, { values }) {
      const siteId = siteOf(callerOf(values), request.siteId);
      const token = parseToken(request.token, "token");
      const facts = await checkOneTimeToken(deps, siteId, token);
      return {
        purpose: purposeToMessage(facts.purpose),
        email: facts.email,
        username: facts.username ?? "",
        passwordRequired: facts.passwordRequired,
        redirectUrl: facts.redirectUrl,
        expireTime: timestampFromDate(facts.expireTime),
      };
    },

    async requestEmailChange(request, context) {
      const caller = callerOf(context.values);
      const siteId = siteOf(caller, "");
      const { site } = await deps.sites.get(siteId);
      const token = await requestEmailChange(deps, caller, siteId, {
        userId: subjectOf(caller, request.userId),
        newEmail: parseEmailAddress(request.newEmail, "new_email"),
        redirectUrl: parseRedirectUrl(request.redirectUrl, site),
        returnToken: parseDelivery(request.delivery, caller),
        client: clientOf(request.client, context),
      });
      return token ? { oneTimeToken: toOneTimeToken(token) } : {};
    },

    async confirmEmailChange(request, context) {
      const caller = callerOf(context.values);
      const siteId = siteOf(caller, request.siteId);
      const { user, redirectUrl } = await confirmEmailChange(deps, caller, siteId, {
        token: parseToken(request.token, "token"),
        client: clientOf(request.client, context),
      });
      return { userId: user.id, version: BigInt(user.version), redirectUrl };
    },
  } satisfies Partial<ServiceImpl<typeof AuthService>>;
}
