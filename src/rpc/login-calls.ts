import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { AuthService, LoginRequest } from "../../gen/signet/v1/auth_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { type LoginAttempt, login } from "../domain/login.ts";
import { parseEmailAddress } from "../model/email-address.ts";
import { invalidField } from "../model/failure.ts";
import { parsePasswordAttempt } from "../model/password.ts";
import { parseUsername } from "../model/username.ts";
import { parseAudiences } from "./audiences.ts";
import { callerOf } from "./authorize.ts";
import { clientOf, toSessionMessage, toTokenPair } from "./convert-session.ts";
import { toUserMessage } from "./convert-user.ts";
import { projectionOf, projectUser } from "./user-fields.ts";

/** The calls by which a User signs in. */
export function loginCalls(deps: Deps): Partial<ServiceImpl<typeof AuthService>> {
  return {
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

/** Reads whom a person says to be. @throws {Failure} `invalid_field` */
export function parseIdentifier(
  identifier: LoginRequest["identifier"],
): LoginAttempt["identifier"] {
  switch (identifier.case) {
    case "email":
      return { by: "email", email: parseEmailAddress(identifier.value, "email") };
    case "username":
      return { by: "username", username: parseUsername(identifier.value, "username") };
    case undefined:
      throw invalidField("email", "is required");
  }
}
