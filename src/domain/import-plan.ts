import type { Caller } from "../model/caller.ts";
import type { UserChangeKind } from "../model/change.ts";
import { Failure, type Reason } from "../model/failure.ts";
import type { User } from "../model/user.ts";
import type { ImportOptions, ImportResult, ImportRow } from "../model/user-import.ts";
import { checkEscalation, checkRank } from "./admins.ts";
import type { FoundUsers } from "./import-matches.ts";
import { changesBetween } from "./user-changes.ts";

/** What is to be done with a row. */
export type RowPlan =
  | { readonly row: ImportRow; readonly action: "create" }
  | { readonly row: ImportRow; readonly action: "keep"; readonly before: User }
  | {
      readonly row: ImportRow;
      readonly action: "change";
      readonly before: User;
      /** As it will be, but for the version and the times. */
      readonly merged: User;
      /** The weightiest first. */
      readonly kinds: readonly UserChangeKind[];
    }
  | { readonly row: ImportRow; readonly action: "refuse"; readonly failure: Failure };

/** A User is to be made. */
export type CreationPlan = Extract<RowPlan, { readonly action: "create" }>;

/** A User is to be changed. */
export type ChangePlan = Extract<RowPlan, { readonly action: "change" }>;

/** What became of what was planned. */
export type PlanResults = ReadonlyMap<RowPlan, ImportResult>;

/** What a plan depends on besides the row and the Users. */
export interface PlanRules {
  readonly caller: Caller;
  readonly options: ImportOptions;
}

/** Decides what becomes of a row, given every User that has one of its names. */
export function planRow(rules: PlanRules, row: ImportRow, found: FoundUsers): RowPlan {
  try {
    const before = found.match(row);
    if (!before) return planCreation(rules, row, found);
    return planChange(rules, isProven(row, before) ? row : withoutLink(row), before, found);
  } catch (error) {
    if (error instanceof Failure) return { row, action: "refuse", failure: error };
    throw error;
  }
}

function planCreation({ caller }: PlanRules, row: ImportRow, found: FoundUsers): RowPlan {
  checkEscalation(caller, { roles: row.fields.roles ?? [] }, undefined);
  checkFree(found, row.fields, undefined);
  return { row, action: "create" };
}

function planChange(
  { caller, options }: PlanRules,
  row: ImportRow,
  before: User,
  found: FoundUsers,
): RowPlan {
  // Its id alone is left of it, and cannot be given to another yet.
  if (before.state === "deleted") throw taken("id_taken", "id", "belongs to a deleted User");
  const merged = options.mode === "update" ? withRow(before, row) : withMissing(before, row);
  const isDisabled = merged.state !== before.state;
  const getsPassword = row.password !== undefined && before.passwordChangeTime === undefined;
  const kinds: UserChangeKind[] = [
    ...(isDisabled ? (["user_disabled"] as const) : []),
    ...(getsPassword ? (["user_password_changed"] as const) : []),
    ...changesBetween(before, merged),
  ];
  if (kinds.length === 0) return { row, action: "keep", before };
  checkEscalation(caller, merged, before);
  if (isDisabled || getsPassword) checkRank(caller, before);
  checkFree(found, merged, before);
  return { row, action: "change", before, merged, kinds };
}

/**
 * Tells whether a row and a User are surely one person: an address that nobody has verified may be
 * anybody's, and a password that came with it would open the account of its owner.
 */
function isProven({ id, fields, emailVerified }: ImportRow, before: User): boolean {
  const isNamed = fields.externalId !== undefined && fields.externalId === before.externalId;
  return emailVerified || isNamed || id === before.id;
}

function withoutLink(row: ImportRow): ImportRow {
  const { externalId: _, ...fields } = row.fields;
  return { ...row, fields, password: undefined };
}

/** What a User lacks is given to it in either mode. */
function withMissing(before: User, { fields }: ImportRow): User {
  return { ...before, externalId: before.externalId ?? fields.externalId };
}

/** The other system may say that an address is verified, and not that it is no longer. */
function withRow(before: User, { fields, emailVerified, disabled }: ImportRow): User {
  const isSame = fields.email === undefined || fields.email === before.email;
  const { state } = before;
  return {
    ...before,
    ...fields,
    emailVerified: isSame
      ? before.emailVerified || (emailVerified && fields.email !== undefined)
      : emailVerified,
    state: disabled ? "disabled" : state,
  };
}

/** @throws {Failure} `…_taken`, where another User has one of the names. */
function checkFree(
  found: FoundUsers,
  { username, email, externalId }: Pick<Partial<User>, "username" | "email" | "externalId">,
  before: User | undefined,
): void {
  const isAnothers = (user: User | undefined) => user !== undefined && user.id !== before?.id;
  const problem = "belongs to another User";
  if (isAnothers(found.byEmail(email))) throw taken("email_taken", "email", problem);
  if (isAnothers(found.byUsername(username))) throw taken("username_taken", "username", problem);
  if (isAnothers(found.byExternalId(externalId))) {
    throw taken("external_id_taken", "external_id", problem);
  }
}

function taken(reason: Reason, field: string, problem: string): Failure {
  return new Failure(reason, { field, problem });
}
