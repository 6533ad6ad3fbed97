import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type AuthService,
  InvalidTokenReason,
  type ValidateTokenResponse,
  ValidateTokenResponseSchema,
} from "../../gen/signet/v1/auth_service_pb.ts";
import { TokenClaimsSchema } from "../../gen/signet/v1/session_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { refreshSession } from "../domain/refresh-tokens.ts";
import { logout } from "../domain/sessions.ts";
import { checkToken, exchangeToken, type TokenCheck } from "../domain/tokens.ts";
import type { AccessTokenClaims } from "../model/access-token-claims.ts";
import { invalidField } from "../model/failure.ts";
import { parseAudience } from "./audiences.ts";
import { callerOf, userCallerOf } from "./authorize.ts";
import { toClaimsMessage, toTokenPair } from "./convert-session.ts";
import { keepEncoded } from "./encoded-answer.ts";
import { parseToken } from "./one-time-fields.ts";

/** The calls about the tokens of a Session. */
export function tokenCalls(deps: Deps) {
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
  } satisfies Partial<ServiceImpl<typeof AuthService>>;
}

const INVALID_REASON = {
  malformed: InvalidTokenReason.MALFORMED,
  expired: InvalidTokenReason.EXPIRED,
  audience: InvalidTokenReason.AUDIENCE,
  revoked: InvalidTokenReason.REVOKED,
} as const;

/** Answers to tokens that were read already; as long as these are remembered with their claims. */
const validAnswers = new WeakMap<AccessTokenClaims, ValidateTokenResponse>();

function toValidateAnswer(check: TokenCheck): MessageInitShape<typeof ValidateTokenResponseSchema> {
  if (!check.valid) {
    const value = { reason: INVALID_REASON[check.reason] };
    return { result: { case: "invalid", value } };
  }
  const { claims, siteId } = check;
  const known = validAnswers.get(claims);
  if (known) return known;
  // What it says is what the token says: a token that is no longer good is answered otherwise.
  const value = create(TokenClaimsSchema, toClaimsMessage(siteId, claims));
  const answer = create(ValidateTokenResponseSchema, { result: { case: "valid", value } });
  validAnswers.set(claims, keepEncoded(ValidateTokenResponseSchema, answer));
  return answer;
}
