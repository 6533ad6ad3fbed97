import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type AuthService,
  Delivery,
  InvalidTokenReason,
  type LoginRequest,
  OneTimePurpose,
  type RegisterRequest,
} from "../../gen/signet/v1/auth_service_pb.ts";
import { hasScope, siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { verifyEmail } from "../domain/email-verification.ts";
import { type LoginAttempt, login } from "../domain/login.ts";
import type { MintedOneTimeToken } from "../domain/one-time.ts";
import { refreshSession } from "../domain/refresh-tokens.ts";
import { register } from "../domain/registration.ts";
import { logout } from "../domain/sessions.ts";
import { checkToken, type TokenCheck } from "../domain/tokens.ts";
import type { Caller } from "../model/caller.ts";
import { parseEmailAddress } from "../model/email-address.ts";
import { Failure, invalidField } from "../model/failure.ts";
import { parseOptionalId, type UserId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import { parseNewPassword, parsePasswordAttempt } from "../model/password.ts";
import type { Site } from "../model/site.ts";
import { parseLocale, parseText } from "../model/text.ts";
import { parseUsername } from "../model/username.ts";
import { parseAudience, parseAudiences } from "./audiences.ts";
import { callerOf } from "./authorize.ts";
import { clientOf, toClaimsMessage, toSessionMessage, toTokenPair } from "./convert-session.ts";
import { toUserMessage } from "./convert-user.ts";
import { projectionOf, projectUser } from "./user-fields.ts";

/** Implements `signet.v1.AuthService`. */
export function authService(deps: Deps): Partial<ServiceImpl<typeof AuthService>> {
  return {
    async register(request, context) {
      const caller = callerOf(context.values);
      const siteId = siteOf(caller, request.siteId);
      const { site } = await deps.sites.get(siteId);
      const registration = parseRegistration(request, context, caller, site);
      const { user, token } = await register(deps, caller, siteId, registration);
      return {
        ...(user && maySeeOutcome(caller) && { userId: user.id, version: BigInt(user.version) }),
        ...(token && { oneTimeToken: toOneTimeToken(token) }),
      };
    },

    async verifyEmail(request, context) {
      const caller = callerOf(context.values);
      const siteId = siteOf(caller, request.siteId);
      const { site } = await deps.sites.get(siteId);
      const { user, redirectUrl } = await verifyEmail(deps, caller, siteId, {
        token: parseToken(request.token, "token"),
        password: parseOptionalPassword(request.password, site),
        username: parseOptionalUsername(request.username),
        client: clientOf(request.client, context),
        signal: context.signal,
      });
      return { userId: user.id, version: BigInt(user.version), redirectUrl };
    },

    async login(request, context) {
      const caller = callerOf(context.values);
      const siteId = siteOf(caller, request.siteId);
      const attempt = parseLogin(request, context);
      const started = await login(deps, caller, siteId, attempt);
      const value = {
        tokens: toTokenPair(started.accessToken, started.refreshToken),
        session: toSessionMessage(started.session, true),
        user: projectUser(toUserMessage(started.user), projectionOf(caller)),
      };
      return { result: { case: "session", value } };
    },

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

    async validateToken(request, { values }) {
      const siteId = siteOf(callerOf(values), request.siteId);
      if (request.token === "") throw invalidField("token", "is required");
      const audience = request.audience && parseAudience(request.audience, "audience");
      return toValidateAnswer(await checkToken(deps, siteId, request.token, audience));
    },
  };
}

function parseRegistration(
  request: RegisterRequest,
  context: HandlerContext,
  caller: Caller,
  site: Site,
) {
  if (request.id !== "" && !maySeeOutcome(caller)) {
    throw invalidField("id", "must be empty for this caller");
  }
  return {
    id: parseOptionalId<UserId>(request.id, "id"),
    email: parseEmailAddress(request.email, "email"),
    password: parseOptionalPassword(request.password, site),
    username: parseOptionalUsername(request.username),
    displayName: parseText(request.displayName, "display_name", { max: LIMITS.nameLengthMax }),
    locale: request.locale && parseLocale(request.locale, "locale"),
    redirectUrl: parseRedirectUrl(request.redirectUrl, site),
    returnToken: parseDelivery(request.delivery, caller),
    client: clientOf(request.client, context),
    signal: context.signal,
  };
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

function parseIdentifier(identifier: LoginRequest["identifier"]): LoginAttempt["identifier"] {
  switch (identifier.case) {
    case "email":
      return { by: "email", email: parseEmailAddress(identifier.value, "email") };
    case "username":
      return { by: "username", username: parseUsername(identifier.value, "username") };
    case undefined:
      throw invalidField("email", "is required");
  }
}

/** Those who could look the address up anyway, or are sent its tokens. */
function maySeeOutcome(caller: Caller): boolean {
  return (["auth.tokens", "users.read", "sync"] as const).some((scope) => hasScope(caller, scope));
}

/** Returns whether the token is asked for. @throws {Failure} `access_denied` */
function parseDelivery(delivery: Delivery, caller: Caller): boolean {
  switch (delivery) {
    case Delivery.UNSPECIFIED:
    case Delivery.SEND:
      return false;
    case Delivery.RETURN_TOKEN:
      if (caller.kind === "site_key" && hasScope(caller, "auth.tokens")) return true;
      throw new Failure("access_denied");
    default:
      throw invalidField("delivery", "is unknown");
  }
}

/** Compared to the letter: a prefix or a pattern would be an open redirect. */
function parseRedirectUrl(url: string, site: Site): string {
  if (url !== "" && !(site.redirectUrls as readonly string[]).includes(url)) {
    throw invalidField("redirect_url", "must be one of the Site's redirect_urls");
  }
  return url;
}

function parseOptionalPassword(password: string, site: Site) {
  if (password === "") return undefined;
  return parseNewPassword(password, "password", { codePointsMin: site.passwordLengthMin });
}

function parseOptionalUsername(username: string) {
  return username === "" ? undefined : parseUsername(username, "username");
}

function parseToken(token: string, field: string): string {
  if (token === "") throw invalidField(field, "is required");
  return token.slice(0, LIMITS.tokenLengthMax + 1);
}

function toOneTimeToken({ text, expireTime }: MintedOneTimeToken) {
  return {
    token: text.reveal(),
    purpose: OneTimePurpose.VERIFY_EMAIL,
    expireTime: timestampFromDate(expireTime),
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
