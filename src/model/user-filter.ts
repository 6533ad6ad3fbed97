import type { UserState } from "./user.ts";

/** The states of all but tombstones. */
export const LIVE_STATES: readonly UserState[] = ["active", "invited", "disabled"];

/** Which Users of a Site are meant. What is absent does not restrict. */
export interface UserFilter {
  readonly states: readonly UserState[];
  readonly role?: string;
  readonly emailVerified?: boolean;
  readonly createTimeFrom?: Date;
  readonly updateTimeFrom?: Date;
  /** How a name begins, in its canonical form. */
  readonly prefix?: { readonly of: "email" | "username"; readonly text: string };
}
