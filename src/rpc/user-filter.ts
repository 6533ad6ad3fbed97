import { UserState } from "../../gen/signet/v1/user_pb.ts";
import type { UserFilter as UserFilterMessage } from "../../gen/signet/v1/user_service_pb.ts";
import type { Caller } from "../model/caller.ts";
import { invalidField } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";
import { parseRoles } from "../model/role.ts";
import type { UserState as State } from "../model/user.ts";
import { LIVE_STATES, type UserFilter } from "../model/user-filter.ts";
import { parseTime } from "./parse-time.ts";
import { requireVisible } from "./user-fields.ts";

const STATE = new Map<UserState, State>([
  [UserState.ACTIVE, "active"],
  [UserState.INVITED, "invited"],
  [UserState.DISABLED, "disabled"],
  [UserState.DELETED, "deleted"],
]);
const STATES_MAX = 4;
const PREFIX = /^[\x21-\x7e]+$/;

/**
 * Reads which Users are meant.
 *
 * @throws {Failure} `invalid_field`; `access_denied` for a field that the caller may not see,
 *   since the answer would tell it.
 */
export function parseUserFilter(
  message: UserFilterMessage | undefined,
  caller: Caller,
): UserFilter {
  if (!message) return { states: LIVE_STATES };
  const { role, emailVerified, createTimeFrom, updateTimeFrom } = message;
  if (role !== "") requireVisible(caller, "roles");
  if (emailVerified !== undefined) requireVisible(caller, "email_verified");
  if (updateTimeFrom) requireVisible(caller, "update_time");
  const prefix = parsePrefix(message.prefix, caller);
  const [parsedRole] = role === "" ? [] : parseRoles([role], "filter.role");
  return {
    states: parseStates(message.states),
    ...(parsedRole !== undefined && { role: parsedRole }),
    ...(emailVerified !== undefined && { emailVerified }),
    ...(createTimeFrom && {
      createTimeFrom: parseTime(createTimeFrom, "filter.create_time_from"),
    }),
    ...(updateTimeFrom && {
      updateTimeFrom: parseTime(updateTimeFrom, "filter.update_time_from"),
    }),
    ...(prefix && { prefix }),
  };
}

function parseStates(messages: readonly UserState[]): readonly State[] {
  if (messages.length === 0) return LIVE_STATES;
  if (messages.length > STATES_MAX) {
    throw invalidField("filter.states", `must be at most ${STATES_MAX}`);
  }
  const states = messages.map((message) => {
    const state = STATE.get(message);
    if (!state) throw invalidField("filter.states", "must hold states of Users");
    return state;
  });
  return [...new Set(states)].sort();
}

/** A prefix is compared as it is with canonical names, which hold lower case ASCII alone. */
function parsePrefix(prefix: UserFilterMessage["prefix"], caller: Caller): UserFilter["prefix"] {
  switch (prefix.case) {
    case "emailPrefix":
      requireVisible(caller, "email");
      return {
        of: "email",
        text: canonicalPrefix(prefix.value, "filter.email_prefix", LIMITS.emailLengthMax),
      };
    case "usernamePrefix":
      requireVisible(caller, "username");
      return {
        of: "username",
        text: canonicalPrefix(prefix.value, "filter.username_prefix", LIMITS.usernameLengthMax),
      };
    case undefined:
      return undefined;
  }
}

function canonicalPrefix(text: string, field: string, lengthMax: number): string {
  if (text.length > lengthMax || !PREFIX.test(text)) {
    throw invalidField(field, `must have 1 to ${lengthMax} characters of printable ASCII`);
  }
  return text.toLowerCase();
}
