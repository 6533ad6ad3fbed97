import { randomUUID } from "node:crypto";
import type { User } from "../../gen/signet/v1/user_pb.ts";
import {
  draftOf,
  isAltered,
  isNewer,
  isNewerOrOtherwiseRead,
  type MemoryDraft,
  type MemoryRow,
  rowSums,
  versionOf,
} from "./memory-rows.ts";
import { tellCreated } from "./mirror-created.ts";
import { MirrorConflictError } from "./mirror-error.ts";
import { isTombstone } from "./mirror-step.ts";
import {
  type MirrorRecord,
  type MirrorRepair,
  type MirrorRules,
  type MirrorStorage,
  type MirrorWriter,
  NEW_MIRROR,
  type RowOrigin,
  type RowVersion,
} from "./mirror-storage.ts";
import { addSums, leafOf, type MirrorSums, NO_SUMS } from "./mirror-sums.ts";

/** A Mirror in the memory of a process, for tests and for apps without a database. */
export interface MemoryMirror extends MirrorStorage<ReadonlyMap<string, User>> {
  /** The rows by id; kept tombstones are among them. */
  readonly users: ReadonlyMap<string, User>;
}

type Rows = ReadonlyMap<string, MemoryRow>;
type Rules = MirrorRules<ReadonlyMap<string, User>>;

/**
 * Makes an empty Mirror in memory. Mirrors that share it stand by for one another. `onCreate`
 * receives the rows as they will be.
 */
export function createMemoryMirror(): MemoryMirror {
  let rows: Rows = new Map();
  let users: ReadonlyMap<string, User> = new Map();
  let state = NEW_MIRROR;
  let record: MirrorRecord = { id: randomUUID(), last: undefined, lastDeep: undefined };
  let isLed = false;
  let lastWrite: Promise<unknown> = Promise.resolve();

  /** One write at a time, since `onCreate` may take its time. */
  function inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = lastWrite.then(run);
    lastWrite = turn.catch(() => undefined);
    return turn;
  }

  async function commit(draft: MemoryDraft, rules: Rules): Promise<void> {
    const shown = show(draft.rows, rules);
    await tellCreated(rules, shown, draft.created);
    [rows, users] = [draft.rows, shown];
  }

  function openWriter(): MirrorWriter<ReadonlyMap<string, User>> {
    return {
      lost: new AbortController().signal,
      readState: async () => state,
      move: (from, to, write, rules) =>
        inTurn(async () => {
          if (from.revision !== state.revision) throw new MirrorConflictError();
          const draft = draftOf(rows);
          for (const user of write.users) draft.put(user, to, isNewerOrOtherwiseRead);
          for (const gone of write.everyone ? liveVersions(rows) : write.gone) draft.remove(gone);
          await commit(draft, rules);
          const isFilling = to.phase === "new" || to.phase === "snapshot";
          const moved = state.sums ? addSums(state.sums, draft.moved()) : total(rows);
          const sums = isFilling ? undefined : moved;
          state = { ...to, sums, merges: state.merges, revision: from.revision + 1n };
          return { ...draft.result(), state };
        }),
      async listRows({ after, upTo }, except, limit) {
        const skipped = new Set(except);
        const inRange = liveVersions(rows).filter(
          ({ id }) => id > after && (upTo === "" || id <= upTo) && !skipped.has(id),
        );
        return inRange.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit);
      },
      async release() {
        isLed = false;
      },
    };
  }

  const repair = (
    { users: right, wrong, recount }: MirrorRepair,
    origin: RowOrigin,
    rules: Rules,
  ) =>
    inTurn(async () => {
      const draft = draftOf(rows);
      const replaced = new Set(right.map(({ id }) => id));
      for (const row of wrong) replaced.has(row.id) ? draft.demote(row) : draft.remove(row);
      for (const user of right) draft.put(user, origin, isNewer);
      await commit(draft, rules);
      const result = draft.result();
      const merges = state.merges + (result.written + result.removed > 0 ? 1n : 0n);
      const sums = state.sums && (recount ? total(rows) : addSums(state.sums, draft.moved()));
      state = { ...state, merges, sums };
      return result;
    });

  return {
    get users() {
      return users;
    },
    async prepare() {},
    async lead() {
      if (isLed) return undefined;
      isLed = true;
      return openWriter();
    },
    readState: async () => state,
    merge: (merged, origin, rules) =>
      repair({ users: merged, wrong: [], recount: false }, origin, rules),
    versionOf: async (userId) => rows.get(userId)?.user.version,
    foreignWrites: async () => 0n,
    readDigests: async () => ({ state, leaves: leafSums(rows) }),
    async listLeaves(leaves) {
      const wanted = new Set(leaves);
      return [...rows.values()].flatMap((row) => {
        const leaf = leafOf(row.user.id);
        return wanted.has(leaf) ? { ...versionOf(row), leaf, deleted: isTombstone(row.user) } : [];
      });
    },
    listAltered: async () => ({
      rows: [...rows.values()].filter(isAltered).map(versionOf),
      next: undefined,
    }),
    repair,
    readRecord: async () => record,
    async noteReconcile(last) {
      record = { ...record, last, lastDeep: last.deep ? last : record.lastDeep };
    },
  };
}

function show(rows: Rows, { tombstones }: Rules): Map<string, User> {
  const all = [...rows].map(([id, { user }]) => [id, user] as const);
  return new Map(all.filter(([, user]) => tombstones === "keep" || !isTombstone(user)));
}

function liveVersions(rows: Rows): RowVersion[] {
  return [...rows.values()].filter(({ user }) => !isTombstone(user)).map(versionOf);
}

function total(rows: Rows): MirrorSums {
  return [...rows.values()].map(rowSums).reduce(addSums, NO_SUMS);
}

function leafSums(rows: Rows): Map<number, MirrorSums> {
  const leaves = new Map<number, MirrorSums>();
  for (const row of rows.values()) {
    if (isTombstone(row.user)) continue;
    const leaf = leafOf(row.user.id);
    leaves.set(leaf, addSums(leaves.get(leaf) ?? NO_SUMS, rowSums(row)));
  }
  return leaves;
}
