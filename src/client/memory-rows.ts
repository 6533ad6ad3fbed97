import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { type User, UserSchema, UserState } from "../../gen/signet/v1/user_pb.ts";
import { isTombstone } from "./mirror-step.ts";
import type { RowOrigin, RowVersion, WriteResult } from "./mirror-storage.ts";
import { addSums, type MirrorSums, movementOf, NO_SUMS, sumsOfUser } from "./mirror-sums.ts";

/** A User in memory, tombstones included. */
export interface MemoryRow extends RowOrigin {
  readonly user: User;
  /** The hash of the content as it was written. */
  readonly content: string;
}

/** Whether a row takes the place of the present one. */
export type RowRule = (next: RowVersion & RowOrigin, present: RowVersion & RowOrigin) => boolean;

/** Rows as they are to be, apart from those that are. */
export interface MemoryDraft {
  readonly rows: Map<string, MemoryRow>;
  readonly created: User[];
  put(user: User, origin: RowOrigin, wins: RowRule): void;
  /** Removes a row unless it has another version by now. */
  remove(gone: RowVersion): void;
  /** Lets a row give way to whatever is put next, unless it has another version by now. */
  demote(wrong: RowVersion): void;
  result(): WriteResult;
  /** By how much the sums have moved. */
  moved(): MirrorSums;
}

/** Begins to change rows. */
export function draftOf(present: ReadonlyMap<string, MemoryRow>): MemoryDraft {
  const rows = new Map(present);
  const created: User[] = [];
  let [written, removed] = [0, 0];
  let sums = NO_SUMS;
  const set = (next: MemoryRow) => {
    const old = rows.get(next.user.id);
    sums = addSums(sums, movementOf(old ? rowSums(old) : NO_SUMS, rowSums(next)));
    rows.set(next.user.id, next);
  };
  const find = ({ id, epoch, version }: RowVersion) => {
    const row = rows.get(id);
    return row?.epoch === epoch && row.user.version === version ? row : undefined;
  };
  return {
    rows,
    created,
    put(user, origin, wins) {
      const [old, next] = [rows.get(user.id), rowOf(user, origin)];
      if (old && !wins(versionOf(next), versionOf(old))) return;
      set(next);
      const wasLive = old !== undefined && !isTombstone(old.user);
      if (!isTombstone(user)) written++;
      else if (wasLive) removed++;
      if (!wasLive && !isTombstone(user)) created.push(user);
    },
    remove(gone) {
      const row = find(gone);
      if (!row) return;
      set(rowOf(tombstoneOf(row.user), row));
      removed++;
    },
    demote(wrong) {
      const row = find(wrong);
      if (row) rows.set(wrong.id, { ...row, epoch: -1 });
    },
    result: () => ({ written, created: created.length, removed }),
    moved: () => sums,
  };
}

/** Higher versions win, those of a later epoch over all before it. */
export const isNewer: RowRule = (next, present) => {
  if (next.epoch !== present.epoch) return next.epoch > present.epoch;
  return next.version > present.version;
};

/** As before; besides, the same version under another scope wins. */
export const isNewerOrOtherwiseRead: RowRule = (next, present) => {
  const isSame = next.epoch === present.epoch && next.version === present.version;
  return isSame ? next.scope !== present.scope : isNewer(next, present);
};

/** The row as far as comparing goes. */
export function versionOf({ user, epoch, scope }: MemoryRow): RowVersion & RowOrigin {
  return { id: user.id, version: user.version, epoch, scope };
}

/** What the row adds to the sums. */
export function rowSums({ user }: MemoryRow): MirrorSums {
  return isTombstone(user) ? NO_SUMS : sumsOfUser(user.id, user.version);
}

/** Whether somebody has changed the User since the row was written. */
export function isAltered({ user, content }: MemoryRow): boolean {
  return hashOf(user) !== content;
}

function rowOf(user: User, { epoch, scope }: RowOrigin): MemoryRow {
  return { user, epoch, scope, content: hashOf(user) };
}

function hashOf(user: User): string {
  return createHash("sha256").update(toBinary(UserSchema, user)).digest("base64");
}

function tombstoneOf({ id, siteId, version }: User): User {
  return create(UserSchema, { id, siteId, version, state: UserState.DELETED });
}
