import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { AuthService } from "../../gen/signet/v1/auth_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { disableTotp, regenerateRecoveryCodes } from "../domain/mfa-admin.ts";
import { confirmTotp, enrollTotp } from "../domain/totp-enrollment.ts";
import type { Caller } from "../model/caller.ts";
import { invalidField } from "../model/failure.ts";
import { callerOf, userCallerOf } from "./authorize.ts";
import { clientOf, toTokenPair } from "./convert-session.ts";
import { toStartedMessage } from "./convert-started-session.ts";
import { parseToken, parseTotpCode } from "./one-time-fields.ts";

/** The calls about a User's second factor. */
export function mfaCalls(deps: Deps) {
  return {
    async enrollTotp(request, context) {
      const caller = callerOf(context.values);
      const siteId = siteOf(caller, request.siteId);
      const { secret, uri, expireTime } = await enrollTotp(deps, caller, siteId, {
        enrollmentToken: parseEnrollmentToken(caller, request.enrollmentToken),
        client: clientOf(request.client, context),
      });
      return {
        secret: secret.reveal(),
        otpauthUri: uri.reveal(),
        expireTime: timestampFromDate(expireTime),
      };
    },

    async confirmTotp(request, context) {
      const caller = callerOf(context.values);
      const siteId = siteOf(caller, request.siteId);
      const { started, recoveryCodes } = await confirmTotp(deps, caller, siteId, {
        enrollmentToken: parseEnrollmentToken(caller, request.enrollmentToken),
        code: parseTotpCode(request.totpCode),
        client: clientOf(request.client, context),
      });
      return {
        session: toStartedMessage(started, caller),
        recoveryCodes: recoveryCodes.map((code) => code.reveal()),
      };
    },

    async disableTotp(_request, { values }) {
      const { user, renewed } = await disableTotp(deps, userCallerOf(values));
      return {
        tokens: toTokenPair(renewed.accessToken, renewed.refreshToken),
        userId: user.id,
        version: BigInt(user.version),
      };
    },

    async regenerateRecoveryCodes(_request, { values }) {
      const { user, recoveryCodes } = await regenerateRecoveryCodes(deps, userCallerOf(values));
      return {
        recoveryCodes: recoveryCodes.map((code) => code.reveal()),
        userId: user.id,
        version: BigInt(user.version),
      };
    },
  } satisfies Partial<ServiceImpl<typeof AuthService>>;
}

/** A User enrols by its own Session; all others by the token of the login. */
function parseEnrollmentToken(caller: Caller, token: string): string {
  if (caller.kind !== "user") return parseToken(token, "enrollment_token");
  if (token !== "") throw invalidField("enrollment_token", "must be empty for a User");
  return token;
}
