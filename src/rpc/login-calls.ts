import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type AuthService,
  type LoginRequest,
  MfaMethod,
} from "../../gen/signet/v1/auth_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { type LoginAttempt, type LoginOutcome, login } from "../domain/login.ts";
import { completeMfa } from "../domain/mfa-login.ts";
import { reauthenticate } from "../domain/reauthentication.ts";
import type { Caller } from "../model/caller.ts";
import { parsePasswordAttempt } from "../model/password.ts";
import { parseAudiences } from "./audiences.ts";
import { callerOf, userCallerOf } from "./authorize.ts";
import { clientOf } from "./convert-session.ts";
import { toStartedMessage } from "./convert-started-session.ts";
import { parseCode, parseIdentifier } from "./login-fields.ts";
import { parseToken } from "./one-time-fields.ts";

/** The calls by which a User signs in. */
export function loginCalls(deps: Deps) {
  return {
    async login(request, context) {
      const caller = callerOf(context.values);
      const siteId = siteOf(caller, request.siteId);
      const attempt = parseLogin(request, context);
      return toLoginAnswer(await login(deps, caller, siteId, attempt), caller);
    },

    async completeMfa(request, context) {
      const caller = callerOf(context.values);
      const siteId = siteOf(caller, request.siteId);
      const { started, codesLeft } = await completeMfa(deps, caller, siteId, {
        challengeToken: parseToken(request.challengeToken, "challenge_token"),
        code: parseCode(request.code),
        client: clientOf(request.client, context),
      });
      const session = toStartedMessage(started, caller);
      return { session, ...(codesLeft !== undefined && { recoveryCodesLeft: codesLeft }) };
    },

    async reauthenticate(request, context) {
      const { user, session, accessToken } = await reauthenticate(
        deps,
        userCallerOf(context.values),
        {
          password: parsePasswordAttempt(request.password, "password"),
          code: request.code.case && parseCode(request.code),
          client: clientOf(request.client, context),
          signal: context.signal,
        },
      );
      return {
        accessToken: accessToken.text.reveal(),
        accessTokenExpireTime: timestampFromDate(accessToken.expireTime),
        authTime: timestampFromDate(session.authTime),
        userId: user.id,
        version: BigInt(user.version),
      };
    },
  } satisfies Partial<ServiceImpl<typeof AuthService>>;
}

function parseLogin(request: LoginRequest, context: HandlerContext): LoginAttempt {
  return {
    identifier: parseIdentifier(request.identifier),
    password: parsePasswordAttempt(request.password, "password"),
    audiences: parseAudiences(request.audiences, "audiences"),
    client: clientOf(request.client, context),
    signal: context.signal,
  };
}

function toLoginAnswer(outcome: LoginOutcome, caller: Caller) {
  switch (outcome.outcome) {
    case "session": {
      const value = toStartedMessage(outcome.started, caller);
      return { result: { case: "session", value } } as const;
    }
    case "code": {
      const { text, expireTime } = outcome.challenge;
      const value = {
        challengeToken: text.reveal(),
        methods: [MfaMethod.TOTP, MfaMethod.RECOVERY_CODE],
        expireTime: timestampFromDate(expireTime),
      };
      return { result: { case: "mfaChallenge", value } } as const;
    }
    case "enrollment": {
      const { text, expireTime } = outcome.challenge;
      const value = { enrollmentToken: text.reveal(), expireTime: timestampFromDate(expireTime) };
      return { result: { case: "mfaEnrollment", value } } as const;
    }
  }
}
