import { type ChangeFilter, ChangeKind } from "../../gen/signet/v1/change_pb.ts";
import type { Caller } from "../model/caller.ts";
import type { UserChange, UserChangeKind } from "../model/change.ts";
import { invalidField } from "../model/failure.ts";
import { parseId, type UserId } from "../model/id.ts";
import { projectionOf } from "./user-fields.ts";

/** What a subscriber sees of a Site. Those with the same `name` are of one class. */
export interface WatchScope {
  /** Stands for filter and projection; cursors are bound to it, frames shared under it. */
  readonly name: string;
  readonly projection: readonly string[];
  /** Absent: all kinds. */
  readonly kinds: ReadonlySet<UserChangeKind> | undefined;
  /** Absent: all Users. */
  readonly userIds: ReadonlySet<UserId> | undefined;
}

/** The kinds on the wire. */
export const KIND: Readonly<Record<UserChangeKind, ChangeKind>> = {
  user_created: ChangeKind.CREATED,
  user_updated: ChangeKind.UPDATED,
  user_email_verified: ChangeKind.EMAIL_VERIFIED,
  user_email_changed: ChangeKind.EMAIL_CHANGED,
  user_password_changed: ChangeKind.PASSWORD_CHANGED,
  user_mfa_changed: ChangeKind.MFA_CHANGED,
  user_roles_changed: ChangeKind.ROLES_CHANGED,
  user_disabled: ChangeKind.DISABLED,
  user_enabled: ChangeKind.ENABLED,
  user_deleted: ChangeKind.DELETED,
  user_invitation_accepted: ChangeKind.INVITATION_ACCEPTED,
};

const KIND_OF = new Map(
  (Object.keys(KIND) as UserChangeKind[]).map((kind) => [KIND[kind], kind] as const),
);
const KINDS_MAX = 32;
const USER_IDS_MAX = 500;

/** Reads what a subscriber asks for and may see. @throws {Failure} `invalid_field` */
export function parseWatchScope(filter: ChangeFilter | undefined, caller: Caller): WatchScope {
  const projection = projectionOf(caller);
  const kinds = parseKinds(filter?.kinds ?? [], "filter.kinds");
  const userIds = parseUserIds(filter?.userIds ?? []);
  const name = JSON.stringify([projection, kinds.toSorted(), userIds.toSorted()]);
  return {
    name,
    projection,
    kinds: kinds.length > 0 ? new Set(kinds) : undefined,
    userIds: userIds.length > 0 ? new Set(userIds) : undefined,
  };
}

/** Tells whether a scope leaves Changes out, so that sums would mean nothing to its streams. */
export function isFiltered({ kinds, userIds }: WatchScope): boolean {
  return kinds !== undefined || userIds !== undefined;
}

/** Tells whether a change passes the filter of a scope. */
export function passes({ kinds, userIds }: WatchScope, change: UserChange): boolean {
  if (userIds && !userIds.has(change.userId)) return false;
  return !kinds || kinds.has(change.kind) || change.furtherKinds.some((kind) => kinds.has(kind));
}

/** Reads kinds of changes. @throws {Failure} `invalid_field` */
export function parseKinds(messages: readonly ChangeKind[], field: string): UserChangeKind[] {
  if (messages.length > KINDS_MAX) throw invalidField(field, `must be at most ${KINDS_MAX}`);
  return messages.map((message) => {
    const kind = KIND_OF.get(message);
    if (!kind) throw invalidField(field, "must hold kinds of changes");
    return kind;
  });
}

function parseUserIds(texts: readonly string[]): UserId[] {
  if (texts.length > USER_IDS_MAX) {
    throw invalidField("filter.user_ids", `must be at most ${USER_IDS_MAX}`);
  }
  return texts.map((text) => parseId<UserId>(text, "filter.user_ids"));
}
