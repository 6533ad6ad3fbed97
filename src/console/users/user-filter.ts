import type { MessageInitShape } from "@bufbuild/protobuf";
import { UserState } from "../../../gen/signet/v1/user_pb.ts";
import type { UserFilterSchema } from "../../../gen/signet/v1/user_service_pb.ts";
import { namesOf } from "../parts/enum-name.ts";

/** The names of the states that a User can be in. */
export const STATES = namesOf(UserState);

/** Which Users are shown. Plain values, since it is kept with the browser's history. */
export interface UserListFilter {
  readonly prefixOf: "email" | "username";
  readonly prefix: string;
  /** Empty: all but tombstones. */
  readonly state: (typeof STATES)[number] | "";
  /** Empty: with an address of either kind. */
  readonly verified: "yes" | "no" | "";
  readonly role: string;
}

/** All Users. */
export const NO_FILTER: UserListFilter = {
  prefixOf: "email",
  prefix: "",
  state: "",
  verified: "",
  role: "",
};

/** Puts the filter into the words of the contract. */
export function requestOf(filter: UserListFilter): MessageInitShape<typeof UserFilterSchema> {
  const { prefixOf, state, verified } = filter;
  const prefix = filter.prefix.trim();
  return {
    ...(state !== "" && { states: [UserState[state]] }),
    ...(verified !== "" && { emailVerified: verified === "yes" }),
    role: filter.role.trim(),
    ...(prefix !== "" && {
      prefix:
        prefixOf === "email"
          ? { case: "emailPrefix", value: prefix }
          : { case: "usernamePrefix", value: prefix },
    }),
  };
}
