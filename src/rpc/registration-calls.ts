import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  AcceptInvitationRequest,
  AuthService,
  RegisterRequest,
} from "../../gen/signet/v1/auth_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { verifyEmail } from "../domain/email-verification.ts";
import { acceptInvitation } from "../domain/invitations.ts";
import { readNewPassword } from "../domain/new-password.ts";
import { register } from "../domain/registration.ts";
import type { Caller } from "../model/caller.ts";
import { parseEmailAddress } from "../model/email-address.ts";
import { invalidField } from "../model/failure.ts";
import { parseOptionalId, type UserId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import type { Site } from "../model/site.ts";
import { parseLocale, parseText } from "../model/text.ts";
import { parseUsername } from "../model/username.ts";
import { callerOf } from "./authorize.ts";
import { clientOf } from "./convert-session.ts";
import {
  maySeeOutcome,
  parseDelivery,
  parseOptionalPassword,
  parseRedirectUrl,
  parseToken,
  toOneTimeToken,
} from "./one-time-fields.ts";

/** The calls by which a person gets an account. */
export function registrationCalls(deps: Deps) {
  return {
    async register(request, context) {
      const caller = callerOf(context.values);
      const siteId = siteOf(caller, request.siteId);
      const { site } = await deps.sites.get(siteId);
      const registration = await parseRegistration(deps, request, context, caller, site);
      const { user, token } = await register(deps, caller, siteId, registration);
      return {
        ...(user && maySeeOutcome(caller) && { userId: user.id, version: BigInt(user.version) }),
        ...(token && { oneTimeToken: toOneTimeToken(token) }),
      };
    },

    async acceptInvitation(request, context) {
      const caller = callerOf(context.values);
      const siteId = siteOf(caller, request.siteId);
      const { site } = await deps.sites.get(siteId);
      const { user, redirectUrl } = await acceptInvitation(deps, caller, siteId, {
        token: parseToken(request.token, "token"),
        password: await readNewPassword(deps, site, request.password, "password"),
        fields: parseAcceptedFields(request),
        client: clientOf(request.client, context),
        signal: context.signal,
      });
      return { userId: user.id, version: BigInt(user.version), redirectUrl };
    },

    async verifyEmail(request, context) {
      const caller = callerOf(context.values);
      const siteId = siteOf(caller, request.siteId);
      const { site } = await deps.sites.get(siteId);
      const { user, redirectUrl } = await verifyEmail(deps, caller, siteId, {
        token: parseToken(request.token, "token"),
        password: await parseOptionalPassword(deps, request.password, site),
        username: parseOptionalUsername(request.username),
        client: clientOf(request.client, context),
        signal: context.signal,
      });
      return { userId: user.id, version: BigInt(user.version), redirectUrl };
    },
  } satisfies Partial<ServiceImpl<typeof AuthService>>;
}

async function parseRegistration(
  deps: Deps,
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
    password: await parseOptionalPassword(deps, request.password, site),
    username: parseOptionalUsername(request.username),
    displayName: parseText(request.displayName, "display_name", { max: LIMITS.nameLengthMax }),
    locale: request.locale && parseLocale(request.locale, "locale"),
    redirectUrl: parseRedirectUrl(request.redirectUrl, site),
    returnToken: parseDelivery(request.delivery, caller),
    client: clientOf(request.client, context),
    signal: context.signal,
  };
}

/** What is empty stays as the invitation has it. */
function parseAcceptedFields({ username, displayName, locale }: AcceptInvitationRequest) {
  const name = parseText(displayName, "display_name", { max: LIMITS.nameLengthMax });
  return {
    ...(username && { username: parseUsername(username, "username") }),
    ...(name && { displayName: name }),
    ...(locale && { locale: parseLocale(locale, "locale") }),
  };
}

function parseOptionalUsername(username: string) {
  return username === "" ? undefined : parseUsername(username, "username");
}
