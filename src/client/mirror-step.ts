import { type User, UserState } from "../../gen/signet/v1/user_pb.ts";
import { MirrorError, MirrorScopeError } from "./mirror-error.ts";
import type { IdRange, MirrorState } from "./mirror-storage.ts";
import type {
  ChangesItem,
  CheckpointItem,
  HelloItem,
  SnapshotPageItem,
  SubscriptionItem,
} from "./subscription-item.ts";

/** What an item of the stream means for a Mirror in a given state. */
export interface MirrorStep {
  /** The state after it. The very same object: nothing is to be written. */
  readonly to: MirrorState;
  readonly users: readonly User[];
  /** Rows in this range that are not among `users` may be gone. */
  readonly swept: IdRange | undefined;
  readonly everyone: boolean;
}

/**
 * Works out what to write for an item.
 *
 * An item that comes again changes nothing that counts: a cursor never moves back, and versions
 * decide about rows.
 *
 * @throws {MirrorError} where the Mirror belongs to another Site.
 * @throws {MirrorScopeError} where a Mirror that begins at the head has other fields than before.
 * @throws {Error} where Changes before the item are missing.
 */
export function stepOf(state: MirrorState, item: SubscriptionItem): MirrorStep {
  switch (item.type) {
    case "hello":
      return step(afterHello(state, item));
    case "snapshot_page":
      return pageStep(state, item);
    case "snapshot_end": {
      if (state.phase === "tail") return step(state);
      const { position: exactPosition, tailPosition: position, cursor } = item;
      const to = { ...state, phase: "tail", position, exactPosition, cursor } as const;
      return { ...step({ ...to, snapshotAfter: "" }), swept: rangeAfter(state, "") };
    }
    case "changes":
      return changesStep(state, item);
    case "checkpoint":
      return step(afterCheckpoint(state, item));
    case "site_deleted":
      return { ...step({ ...state, phase: "site_deleted", cursor: "" }), everyone: true };
  }
}

/**
 * The state from which a Mirror goes on whose cursor is of no use any more. One that was filled
 * begins at the head and is compared by digests; if it has other fields now, or was not filled,
 * a snapshot goes over the rows that are there.
 */
export function restarted(state: MirrorState, hasOtherFields: boolean): MirrorState {
  const wasFilled = state.phase === "tail" || state.phase === "compare";
  const phase = wasFilled && !hasOtherFields ? "compare" : "new";
  return { ...state, phase, cursor: "", snapshotAfter: "" };
}

/** Whether a User is but a mark that there was one. */
export function isTombstone(user: User): boolean {
  return user.state === UserState.DELETED;
}

function step(to: MirrorState): MirrorStep {
  return { to, users: [], swept: undefined, everyone: false };
}

function afterHello(state: MirrorState, item: HelloItem): MirrorState {
  const { siteId, epoch, cursor } = item;
  if (state.siteId !== "" && state.siteId !== siteId) {
    throw new MirrorError(`the mirror holds Users of Site ${state.siteId}, not of ${siteId}`);
  }
  // A cursor that was accepted is of the same epoch and scope.
  if (state.cursor !== "") return state;
  const scope = [...item.userFields].sort().join(",");
  if (state.phase !== "compare") {
    return { ...state, siteId, epoch, scope, cursor, phase: "snapshot", snapshotAfter: "" };
  }
  if (scope !== state.scope) throw new MirrorScopeError();
  return { ...state, epoch, cursor, position: item.head, exactPosition: item.head };
}

function pageStep(state: MirrorState, page: SnapshotPageItem): MirrorStep {
  const { cursor } = page;
  const users = latestStates(page.users);
  const last = users.at(-1)?.id ?? "";
  const isAhead = state.phase === "snapshot" && last > state.snapshotAfter;
  if (!isAhead) return { ...step({ ...state }), users };
  const to = { ...state, cursor, snapshotAfter: last };
  return { ...step(to), users, swept: rangeAfter(state, last) };
}

function changesStep(state: MirrorState, item: ChangesItem): MirrorStep {
  const { previousPosition, position, cursor } = item;
  const follows = state.phase === "tail" || state.phase === "compare";
  if (!follows || previousPosition > state.position) throw missingChanges(state);
  const to = position > state.position ? { ...state, position, cursor } : { ...state };
  return { ...step(to), users: latestStates(item.changes.flatMap(({ user }) => user ?? [])) };
}

/** The last state of each User: one statement may not touch a row twice. */
function latestStates(users: readonly User[]): User[] {
  const latest = new Map<string, User>();
  for (const user of users) {
    const version = latest.get(user.id)?.version;
    if (version === undefined || user.version > version) latest.set(user.id, user);
  }
  return [...latest.values()];
}

function afterCheckpoint(state: MirrorState, item: CheckpointItem): MirrorState {
  const { position, cursor } = item;
  if (state.phase === "snapshot") return { ...state, cursor };
  if (position > state.position) throw missingChanges(state);
  return position < state.position ? state : { ...state, cursor };
}

function missingChanges({ position }: MirrorState): Error {
  return new Error(`changes after position ${position} are missing`);
}

function rangeAfter({ snapshotAfter }: MirrorState, upTo: string): IdRange {
  return { after: snapshotAfter, upTo };
}
