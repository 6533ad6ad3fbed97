import type { StartedSession } from "../domain/started-session.ts";
import type { Caller } from "../model/caller.ts";
import { toSessionMessage, toTokenPair } from "./convert-session.ts";
import { toUserMessage } from "./convert-user.ts";
import { projectionOf, projectUser } from "./user-fields.ts";

/** Translates a Session that has begun, with its tokens and its User. */
export function toStartedMessage(
  { session, user, accessToken, refreshToken, deviceToken }: StartedSession,
  caller: Caller,
) {
  return {
    tokens: toTokenPair(accessToken, refreshToken),
    session: toSessionMessage(session, true),
    user: projectUser(toUserMessage(user), projectionOf(caller)),
    deviceToken,
  };
}
