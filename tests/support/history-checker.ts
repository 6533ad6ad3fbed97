import type { Entry, Operation, WrittenVersion } from "./operation-log.ts";
import { listRefreshFaults } from "./refresh-checker.ts";
import type { MirrorRow } from "./restless-mirror.ts";

/** One line of a Site's log of Changes. */
export interface LoggedChange {
  readonly position: number;
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  /** Undefined: the User's data are erased. */
  readonly displayName: string | undefined;
}

/** What is wrong, in sentences. */
export interface Verdict {
  /** What was acknowledged, and is not there as it was. */
  readonly lost: readonly string[];
  /** Everything else that must not be. */
  readonly faults: readonly string[];
}

/** Compares what clients were told with the log and the table of the service. */
export interface HistoryChecker {
  /** Takes the next Change of the log; all of them are to be taken, in the order of the log. */
  take(change: LoggedChange): void;
  /** Judges, with every User and tombstone of the table. */
  finish(rows: ReadonlyMap<string, MirrorRow>): Verdict;
}

/** A name that a writer of a run has made up; each is given once. */
const WRITTEN_NAME = /^name \d+$/;

interface Acknowledged extends WrittenVersion {
  readonly by: Operation;
}

/**
 * Creates the checker of a history. It knows nothing of the run: whatever the history says must
 * hold of the log and the table, however it has come about.
 */
export function createHistoryChecker(entries: readonly Entry[]): HistoryChecker {
  const lost: string[] = [];
  const faults: string[] = [];
  const operations = pairUp(entries, faults);
  const acknowledged = byUser(operations, faults);
  const givers = giversOf(operations);
  const seen = new Map<string, string>();
  const last = new Map<string, LoggedChange>();
  const missing = new Set([...acknowledged.values()].flatMap((versions) => [...versions.values()]));
  const otherwise = new Map<Acknowledged, string | undefined>();
  let end = 0;

  function checkPlace({ position, id, kind, version }: LoggedChange): void {
    if (position !== end + 1) faults.push(`position ${position} follows ${end}`);
    end = position;
    const before = last.get(id)?.version;
    const isNext = before === undefined ? kind === "user_created" : version === before + 1;
    if (!isNext) faults.push(`${id}: ${kind} with version ${version} follows ${before}`);
  }

  /** Each name is given by one operation, which must have been invoked, and once. */
  function checkGiver({ id, kind, version, displayName: name }: LoggedChange): void {
    const isGiven = kind === "user_created" || kind === "user_updated";
    if (!isGiven || name === undefined || !WRITTEN_NAME.test(name)) return;
    const place = `version ${version} of ${id}`;
    const earlier = seen.get(name);
    seen.set(name, place);
    if (earlier !== undefined) faults.push(`${name} took effect twice: ${earlier} and ${place}`);
    const giver = givers.get(name);
    if (!giver) faults.push(`${place} is ${name}, which nobody has written`);
    else if (giver.every(({ outcome }) => outcome.type === "refused")) {
      faults.push(`${place} is ${name}, which was refused`);
    }
  }

  return {
    take(change) {
      checkPlace(change);
      checkGiver(change);
      const told = acknowledged.get(change.id)?.get(change.version);
      if (told) missing.delete(told);
      if (told && told.name !== change.displayName) otherwise.set(told, change.displayName);
      last.set(change.id, change);
    },
    finish(rows) {
      const nameOf = ({ userId, version }: Acknowledged) => `version ${version} of ${userId}`;
      for (const told of missing) lost.push(`${nameOf(told)} was acknowledged, and is not there`);
      for (const [told, found] of otherwise) {
        const isErased = found === undefined && rows.get(told.userId)?.deleted === true;
        if (!isErased) lost.push(`${nameOf(told)} was acknowledged as ${told.name}`);
      }
      faults.push(...compareRows(rows, last));
      for (const id of deletedIn(operations)) {
        if (!rows.get(id)?.deleted)
          lost.push(`${id} is there, though its deletion was acknowledged`);
      }
      faults.push(...listOrderFaults(acknowledged), ...listRefreshFaults(operations));
      return { lost, faults };
    },
  };
}

/** Finds the end of each operation; one that never ended is unknown. */
function pairUp(entries: readonly Entry[], faults: string[]): readonly Operation[] {
  const open = new Map<number, Operation>();
  for (const [at, entry] of entries.entries()) {
    const { operation: id, atMs } = entry;
    if ("invoked" in entry) {
      if (open.has(id)) faults.push(`operation ${id} was invoked twice`);
      const outcome = { type: "unknown", problem: "it never ended" } as const;
      const invoked = { invokedMs: atMs, invokedAt: at, endedMs: Infinity, endedAt: Infinity };
      open.set(id, { client: entry.client, intent: entry.invoked, ...invoked, outcome });
      continue;
    }
    const begun = open.get(id);
    if (!begun || begun.endedAt < Infinity) faults.push(`operation ${id} ended, but did not run`);
    else open.set(id, { ...begun, endedMs: atMs, endedAt: at, outcome: entry.ended });
  }
  return [...open.values()];
}

/** By User, what was acknowledged of each version. */
function byUser(
  operations: readonly Operation[],
  faults: string[],
): ReadonlyMap<string, ReadonlyMap<number, Acknowledged>> {
  const users = new Map<string, Map<number, Acknowledged>>();
  for (const by of operations) {
    if (by.outcome.type !== "acknowledged") continue;
    for (const written of by.outcome.written) {
      const { userId, version, name } = written;
      const versions = users.get(userId) ?? new Map<number, Acknowledged>();
      users.set(userId, versions);
      const earlier = versions.get(version);
      // A deletion, or a write that changes nothing, may be repeated: it answers the same again.
      if (!earlier) versions.set(version, { ...written, by });
      else if (earlier.name !== name) {
        faults.push(`version ${version} of ${userId} is both ${earlier.name} and ${name}`);
      }
    }
  }
  return users;
}

function giversOf(operations: readonly Operation[]): ReadonlyMap<string, readonly Operation[]> {
  const givers = new Map<string, Operation[]>();
  for (const operation of operations) {
    const { intent } = operation;
    const names = intent.type === "rename" ? [...intent.names.values()] : [];
    if (intent.type === "create") names.push(intent.name);
    for (const name of names) givers.set(name, [...(givers.get(name) ?? []), operation]);
  }
  return givers;
}

function deletedIn(operations: readonly Operation[]): readonly string[] {
  return operations.flatMap(({ intent, outcome }) =>
    intent.type === "delete" && outcome.type === "acknowledged" ? [intent.userId] : [],
  );
}

function compareRows(
  rows: ReadonlyMap<string, MirrorRow>,
  last: ReadonlyMap<string, LoggedChange>,
): string[] {
  const faults: string[] = [];
  for (const [id, { version, displayName }] of rows) {
    const logged = last.get(id);
    if (logged?.version !== version || logged.displayName !== displayName) {
      faults.push(`${id} is not as it was logged last`);
    }
  }
  if (last.size !== rows.size) faults.push(`${last.size} Users logged, ${rows.size} there`);
  return faults;
}

/** Of one User, what was acknowledged before something was begun has a lower version than that. */
function listOrderFaults(
  acknowledged: ReadonlyMap<string, ReadonlyMap<number, Acknowledged>>,
): string[] {
  const faults: string[] = [];
  for (const [id, versions] of acknowledged) {
    let firstEnd = Infinity;
    for (const { version, by } of [...versions.values()].sort((a, b) => b.version - a.version)) {
      if (by.invokedAt > firstEnd) {
        faults.push(`version ${version} of ${id} was begun after a higher one was acknowledged`);
      }
      // Whoever repeats a deletion is told of one that is older than the call.
      if (by.intent.type !== "delete") firstEnd = Math.min(firstEnd, by.endedAt);
    }
  }
  return faults;
}
