import type { ServiceImpl } from "@connectrpc/connect";
import type { AuthService } from "../../gen/signet/v1/auth_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { readNewPassword } from "../domain/new-password.ts";
import { changePassword } from "../domain/password-change.ts";
import { requestPasswordReset, resetPassword } from "../domain/password-reset.ts";
import { parsePasswordAttempt } from "../model/password.ts";
import { callerOf, userCallerOf } from "./authorize.ts";
import { clientOf, toTokenPair } from "./convert-session.ts";
import { parseIdentifier } from "./login-fields.ts";
import { parseDelivery, parseRedirectUrl, parseToken, toOneTimeToken } from "./one-time-fields.ts";

/** The calls about a User's password. */
export function passwordCalls(deps: Deps) {
  return {
    async requestPasswordReset(request, context) {
      const caller = callerOf(context.values);
      const siteId = siteOf(caller, request.siteId);
      const { site } = await deps.sites.get(siteId);
      const token = await requestPasswordReset(deps, caller, siteId, {
        identifier: parseIdentifier(request.identifier),
        redirectUrl: parseRedirectUrl(request.redirectUrl, site),
        returnToken: parseDelivery(request.delivery, caller),
        client: clientOf(request.client, context),
      });
      return token ? { oneTimeToken: toOneTimeToken(token) } : {};
    },

    async resetPassword(request, context) {
      const caller = callerOf(context.values);
      const siteId = siteOf(caller, request.siteId);
      const { site } = await deps.sites.get(siteId);
      const { user, redirectUrl } = await resetPassword(deps, caller, siteId, {
        token: parseToken(request.token, "token"),
        newPassword: await readNewPassword(deps, site, request.newPassword, "new_password"),
        client: clientOf(request.client, context),
        signal: context.signal,
      });
      return { userId: user.id, version: BigInt(user.version), redirectUrl };
    },

    async changePassword(request, context) {
      const caller = userCallerOf(context.values);
      const { site } = await deps.sites.get(caller.siteId);
      const { currentPassword: current, newPassword } = request;
      const { user, renewed } = await changePassword(deps, caller, {
        currentPassword: current ? parsePasswordAttempt(current, "current_password") : undefined,
        newPassword: await readNewPassword(deps, site, newPassword, "new_password"),
        client: clientOf(request.client, context),
        signal: context.signal,
      });
      return {
        tokens: toTokenPair(renewed.accessToken, renewed.refreshToken),
        userId: user.id,
        version: BigInt(user.version),
      };
    },
  } satisfies Partial<ServiceImpl<typeof AuthService>>;
}
