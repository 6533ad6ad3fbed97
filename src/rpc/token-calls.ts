import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { type AuthService, InvalidTokenReason } from "../../gen/signet/v1/auth_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { refreshSession } from "../domain/refresh-tokens.ts";
import { logout } from "../domain/sessions.ts";
import { checkToken, exchangeToken, type TokenCheck } from "../domain/tokens.ts";
import { invalidField } from "../model/failure.ts";
import { parseAudience } from "./audiences.ts";
import { callerOf, userCallerOf } from "./authorize.ts";
import { toClaimsMessage, toTokenPair } from "./convert-session.ts";
import { parseToken } from "./one-time-fields.ts";

/** The calls about the tokens of a Session. */
export function tokenCalls(deps: Deps): Partial<ServiceImpl<typeof AuthService>> {
  return {
    async refreshToken(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const token = parseToken(request.refreshToken, "refresh_token");
      const next = await refreshSession(deps, caller, siteId, token);
      return {
        tokens: toTokenPair(next.accessToken, next.refreshToken),
        sessionId: next.session.id,
        userId: next.user.id,
        version: BigInt(next.user.version),
      };
    },

    async logout(request, { values }) {
      const caller = callerOf(values);
      const siteId = siteOf(caller, request.siteId);
      const ended = await logout(deps, caller, siteId, request.refreshToken);
      return ended ? { userId: ended.userId, version: BigInt(ended.version) } : {};
    },

    async exchangeToken(request, { values }) {
      const token = await exchangeToken(deps, userCallerOf(values), {
        audience: parseAudience(request.audience, "audience"),
        lifetimeSeconds: request.lifetimeSeconds,
      });
      return {
        accessToken: token.text.reveal(),
        accessTokenExpireTime: timestampFromDate(token.expireTime),
      };
    },

    async validateToken(request, { values }) {
      const siteId = siteOf(callerOf(values), request.siteId);
      if (request.token === "") throw invalidField("token", "is required");
      const audience = request.audience && parseAudience(request.audience, "audience");
      return toValidateAnswer(await checkToken(deps, siteId, request.token, audience));
    },
  };
}

const INVALID_REASON = {
  malformed: InvalidTokenReason.MALFORMED,
  expired: InvalidTokenReason.EXPIRED,
  audience: InvalidTokenReason.AUDIENCE,
  revoked: InvalidTokenReason.REVOKED,
} as const;

function toValidateAnswer(check: TokenCheck) {
  if (!check.valid) {
    const value = { reason: INVALID_REASON[check.reason] };
    return { result: { case: "invalid", value } } as const;
  }
  const value = toClaimsMessage(check.siteId, check.claims);
  return { result: { case: "valid", value } } as const;
}
