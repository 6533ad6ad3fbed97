import { create } from "@bufbuild/protobuf";
import { type User, UserSchema, UserState } from "../../gen/signet/v1/user_pb.ts";
import { MirrorConflictError } from "./mirror-error.ts";
import { isTombstone } from "./mirror-step.ts";
import {
  type MirrorRules,
  type MirrorStorage,
  type MirrorWriter,
  NEW_MIRROR,
  type RowOrigin,
  type RowVersion,
} from "./mirror-storage.ts";

/** A Mirror in the memory of a process, for tests and for apps without a database. */
export interface MemoryMirror extends MirrorStorage<ReadonlyMap<string, User>> {
  /** The rows by id; kept tombstones are among them. */
  readonly users: ReadonlyMap<string, User>;
}

type Rules = MirrorRules<ReadonlyMap<string, User>>;

interface Row extends RowOrigin {
  readonly user: User;
}

/**
 * Makes an empty Mirror in memory. Mirrors that share it stand by for one another. `onCreate`
 * receives the rows as they will be.
 */
export function createMemoryMirror(): MemoryMirror {
  let rows: ReadonlyMap<string, Row> = new Map();
  let users: ReadonlyMap<string, User> = new Map();
  let state = NEW_MIRROR;
  let isLed = false;
  let lastWrite: Promise<unknown> = Promise.resolve();

  function show(shown: ReadonlyMap<string, Row>, { tombstones }: Rules): Map<string, User> {
    const all = [...shown].map(([id, { user }]) => [id, user] as const);
    return new Map(all.filter(([, user]) => tombstones === "keep" || !isTombstone(user)));
  }

  /** One write at a time, since `onCreate` may take its time. */
  function inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = lastWrite.then(run);
    lastWrite = turn.catch(() => undefined);
    return turn;
  }

  async function commit(draft: Draft, rules: Rules): Promise<void> {
    const shown = show(draft.rows, rules);
    if (draft.created.length > 0) await rules.onCreate?.(shown, draft.created);
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
          for (const gone of write.everyone ? versionsOf(rows) : write.gone) draft.remove(gone);
          await commit(draft, rules);
          state = { ...to, revision: from.revision + 1n };
          return { ...draft.result(), state };
        }),
      async listRows({ after, upTo }, except, limit) {
        const skipped = new Set(except);
        const inRange = versionsOf(rows).filter(
          ({ id }) => id > after && (upTo === "" || id <= upTo) && !skipped.has(id),
        );
        return inRange.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit);
      },
      async release() {
        isLed = false;
      },
    };
  }

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
      inTurn(async () => {
        const draft = draftOf(rows);
        for (const user of merged) draft.put(user, origin, isNewer);
        await commit(draft, rules);
        return draft.result();
      }),
    versionOf: async (userId) => rows.get(userId)?.user.version,
    foreignWrites: async () => 0n,
  };
}

interface Draft {
  readonly rows: Map<string, Row>;
  readonly created: User[];
  put(user: User, origin: RowOrigin, wins: (next: Row, present: Row) => boolean): void;
  remove(gone: RowVersion): void;
  result(): { readonly written: number; readonly created: number; readonly removed: number };
}

/** The rows as they are to be, apart from those that are. */
function draftOf(present: ReadonlyMap<string, Row>): Draft {
  const rows = new Map(present);
  const created: User[] = [];
  let [written, removed] = [0, 0];
  return {
    rows,
    created,
    put(user, { epoch, scope }, wins) {
      const [old, next] = [rows.get(user.id), { user, epoch, scope }];
      if (old && !wins(next, old)) return;
      rows.set(user.id, next);
      const wasLive = old !== undefined && !isTombstone(old.user);
      if (!isTombstone(user)) written++;
      else if (wasLive) removed++;
      if (!wasLive && !isTombstone(user)) created.push(user);
    },
    remove({ id, version }) {
      const row = rows.get(id);
      if (row?.user.version !== version) return;
      rows.set(id, { ...row, user: tombstoneOf(row.user) });
      removed++;
    },
    result: () => ({ written, created: created.length, removed }),
  };
}

function isNewer(next: Row, present: Row): boolean {
  if (next.epoch !== present.epoch) return next.epoch > present.epoch;
  return next.user.version > present.user.version;
}

function isNewerOrOtherwiseRead(next: Row, present: Row): boolean {
  const isSame = next.epoch === present.epoch && next.user.version === present.user.version;
  return isSame ? next.scope !== present.scope : isNewer(next, present);
}

function tombstoneOf({ id, siteId, version }: User): User {
  return create(UserSchema, { id, siteId, version, state: UserState.DELETED });
}

function versionsOf(rows: ReadonlyMap<string, Row>): RowVersion[] {
  const live = [...rows.values()].filter(({ user }) => !isTombstone(user));
  return live.map(({ user, epoch }) => ({ id: user.id, epoch, version: user.version }));
}
