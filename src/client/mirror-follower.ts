import { ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import type { User } from "../../gen/signet/v1/user_pb.ts";
import { reasonOf } from "./errors.ts";
import { MirrorScopeError } from "./mirror-error.ts";
import type { MirrorLedger } from "./mirror-ledger.ts";
import { createMirrorProgress } from "./mirror-progress.ts";
import { type MirrorStep, restarted, stepOf } from "./mirror-step.ts";
import {
  type MirrorRules,
  type MirrorState,
  type MirrorWrite,
  type MirrorWriter,
  NO_ROWS,
  type RowVersion,
  type WriteResult,
} from "./mirror-storage.ts";
import { readAhead } from "./read-ahead.ts";
import type { Subscription } from "./subscription.ts";
import type { SubscriptionItem } from "./subscription-item.ts";
import type { SubscriptionStatus } from "./subscription-status.ts";
import type { UserFetcher } from "./user-fetcher.ts";

/** What following a stream into a Mirror takes. */
export interface Following<Transaction> {
  readonly writer: MirrorWriter<Transaction>;
  readonly ledger: MirrorLedger;
  readonly rules: MirrorRules<Transaction>;
  readonly subscribe: (start: StreamStart) => Subscription;
  readonly fetchUsers: UserFetcher;
  readonly publish: (status: SubscriptionStatus) => void;
  /** Told of each item that was written. */
  readonly noteWritten: (written: Written) => void;
  readonly signal: AbortSignal;
}

/** Where a stream is to begin: after the cursor, or where there is none as `start` says. */
export interface StreamStart {
  readonly cursor: string;
  readonly start: "snapshot" | "head";
  readonly signal: AbortSignal;
}

/** An item that was written, and what came of it. */
export interface Written {
  readonly item: SubscriptionItem;
  readonly users: readonly User[];
  readonly result: WriteResult;
  readonly state: MirrorState;
}

/**
 * Writes the stream into the Mirror, item by item, until the signal is aborted, the lead is lost
 * or the Site is deleted.
 *
 * @throws what ended it. Where a new snapshot or a comparison is needed, that was written down
 * before.
 */
export async function followInto<Transaction>(following: Following<Transaction>): Promise<void> {
  const { writer, ledger, rules, subscribe, publish, noteWritten } = following;
  const signal = AbortSignal.any([following.signal, writer.lost]);
  const statusOf = createMirrorProgress();
  const rest: SnapshotRest = { isEmpty: undefined };
  const { phase, cursor } = ledger.state;
  if (phase === "site_deleted") return;
  const start = phase === "compare" ? "head" : "snapshot";
  await using subscription = subscribe({ cursor, start, signal });
  const forwarding = forwardConnection(subscription, publish);
  try {
    for await (const item of readAhead(subscription, signal)) {
      let users: readonly User[] = [];
      const { state, ...result } = await ledger.move((present) => {
        const step = stepOf(present, item);
        users = step.users;
        return write({ ...following, rest }, present, step);
      });
      noteWritten({ item, users, result, state });
      publish(statusOf(item, state));
    }
  } catch (error) {
    const hasOtherFields =
      reasonOf(error) === ErrorReason.SCOPE_CHANGED || error instanceof MirrorScopeError;
    if (hasOtherFields || RESTARTING.has(reasonOf(error))) {
      await ledger.move((state) =>
        writer.move(state, restarted(state, hasOtherFields), NO_ROWS, rules),
      );
    }
    throw error;
  } finally {
    subscription.close();
    await forwarding;
  }
}

/** The cursor is of no use any more. */
const RESTARTING: ReadonlySet<ErrorReason | undefined> = new Set([
  ErrorReason.CURSOR_EXPIRED,
  ErrorReason.EPOCH_CHANGED,
  ErrorReason.CURSOR_AHEAD,
  ErrorReason.INVALID_CURSOR,
]);

const NOTHING: WriteResult = { written: 0, created: 0, removed: 0 };

interface SnapshotRest {
  /** Whether the Mirror had no rows behind the first page; undefined: not known yet. */
  isEmpty: boolean | undefined;
}

type Writing<Transaction> = Following<Transaction> & { readonly rest: SnapshotRest };

async function write<Transaction>(
  following: Writing<Transaction>,
  state: MirrorState,
  step: MirrorStep,
): Promise<WriteResult & { readonly state: MirrorState }> {
  const { writer, rules } = following;
  if (step.to === state) return { ...NOTHING, state };
  const swept = await sweep(following, state, step);
  const rows: MirrorWrite = { users: step.users, gone: [], everyone: step.everyone };
  const moved = await writer.move(swept.state, step.to, rows, rules);
  return { ...total(swept, moved), state: moved.state };
}

const SWEPT_MAX = 500;

/**
 * Asks Signet about the rows that a snapshot should have shown and has not: one may have been
 * filled in on demand since. Only what Signet does not know is removed.
 */
async function sweep<Transaction>(
  { writer, rules, fetchUsers, rest }: Writing<Transaction>,
  state: MirrorState,
  { swept, users }: MirrorStep,
): Promise<WriteResult & { readonly state: MirrorState }> {
  if (!swept) return { ...NOTHING, state };
  // What is filled in on demand from now on is newer than the snapshot: the tail will tell.
  rest.isEmpty ??= (await writer.listRows({ ...swept, upTo: "" }, [], 1)).length === 0;
  if (rest.isEmpty) return { ...NOTHING, state };
  const seen = users.map(({ id }) => id);
  let done = { ...NOTHING, state };
  for (let { after } = swept; ; ) {
    const candidates = await writer.listRows({ ...swept, after }, seen, SWEPT_MAX);
    const last = candidates.at(-1);
    if (!last) return done;
    const found = await fetchUsers(
      candidates.map(({ id }) => id),
      state.siteId,
    );
    const rows = { users: found, gone: missing(candidates, found), everyone: false };
    const moved = await writer.move(done.state, done.state, rows, rules);
    done = { ...total(done, moved), state: moved.state };
    after = last.id;
  }
}

function missing(candidates: readonly RowVersion[], found: readonly User[]): RowVersion[] {
  const known = new Set(found.map(({ id }) => id));
  return candidates.filter(({ id }) => !known.has(id));
}

function total(a: WriteResult, b: WriteResult): WriteResult {
  return {
    written: a.written + b.written,
    created: a.created + b.created,
    removed: a.removed + b.removed,
  };
}

/** What a subscription receives is not yet written; only about its connection it knows best. */
async function forwardConnection(
  { status }: Subscription,
  publish: (status: SubscriptionStatus) => void,
): Promise<void> {
  for await (const present of status) {
    if (present.type === "connecting" || present.type === "reconnecting") publish(present);
  }
}
