import type { User } from "../../gen/signet/v1/user_pb.ts";
import type { ReconcileProgress, ReconcileRecord, UserMirrorEvent } from "./mirror-report.ts";
import type { MirrorRules, MirrorState, MirrorStorage, RowVersion } from "./mirror-storage.ts";
import { isStillWrong, isWrongAsItIs, type RowDifference } from "./row-difference.ts";
import type { UserFetcher } from "./user-fetcher.ts";

/** Puts right what a comparison finds, and counts it. */
export interface Repairer {
  noteLeaves(done: number, total: number): void;
  /** Asks Signet for the Users, and writes them. */
  settle(differences: readonly RowDifference[]): Promise<void>;
  result(): RepairResult;
}

/** What was found and put right. */
export type RepairResult = Pick<
  ReconcileRecord,
  "missing" | "stale" | "extra" | "altered" | "repaired"
>;

/** What putting right takes. */
export interface RepairerOptions<Transaction> {
  readonly storage: MirrorStorage<Transaction>;
  readonly rules: MirrorRules<Transaction>;
  readonly fetchUsers: UserFetcher;
  /** The Mirror's state, no later than what is then fetched. */
  readonly origin: () => MirrorState;
  readonly repair: boolean | undefined;
  readonly onProgress: ((progress: ReconcileProgress) => void) | undefined;
  readonly notify: (event: UserMirrorEvent) => void;
  readonly noteUsers: (users: readonly User[]) => void;
}

/** As many as one call answers with; each group is a transaction. */
const USERS_MAX = 500;
/** A comparison that finds more tells of no further User. */
const EVENTS_MAX = 1_000;

/** Begins with nothing found. */
export function createRepairer<Transaction>(options: RepairerOptions<Transaction>): Repairer {
  const { storage, rules, fetchUsers, origin, notify, noteUsers } = options;
  const counts = { missing: 0, stale: 0, extra: 0, altered: 0, repaired: 0 };
  let leaves = { leavesDone: 0, leavesTotal: 0 };
  let eventsLeft = EVENTS_MAX;
  const found = () => counts.missing + counts.stale + counts.extra + counts.altered;
  const showProgress = () =>
    options.onProgress?.({ ...leaves, found: found(), repaired: counts.repaired });

  async function settleGroup(group: readonly RowDifference[]): Promise<void> {
    const state = origin();
    const ids = group.map(({ id }) => id);
    const users = new Map((await fetchUsers(ids, state.siteId)).map((user) => [user.id, user]));
    const wrong = group.filter((difference) => isStillWrong(difference, users.get(difference.id)));
    for (const { kind } of wrong) counts[kind]++;
    if (options.repair) await write(wrong, users, state);
    for (const { id, kind } of wrong.slice(0, eventsLeft)) {
      const repaired = options.repair === true;
      notify({ type: "user_differs", userId: id, difference: kind, repaired });
    }
    eventsLeft -= Math.min(eventsLeft, wrong.length);
    showProgress();
  }

  async function write(
    wrong: readonly RowDifference[],
    users: ReadonlyMap<string, User>,
    state: MirrorState,
  ): Promise<void> {
    if (wrong.length === 0) return;
    const right = wrong.flatMap(({ id }) => users.get(id) ?? []);
    const rows: RowVersion[] = wrong.filter(isWrongAsItIs).flatMap(({ row }) => row ?? []);
    const repair = { users: right, wrong: rows, recount: false };
    const { written, removed } = await storage.repair(repair, state, rules);
    counts.repaired += written + removed;
    noteUsers(right);
  }

  return {
    noteLeaves(leavesDone, leavesTotal) {
      leaves = { leavesDone, leavesTotal };
      showProgress();
    },
    async settle(differences) {
      for (let n = 0; n < differences.length; n += USERS_MAX) {
        await settleGroup(differences.slice(n, n + USERS_MAX));
      }
    },
    result: () => ({ ...counts }),
  };
}
