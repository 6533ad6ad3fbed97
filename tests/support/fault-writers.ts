import { setTimeout as sleep } from "node:timers/promises";
import { ConnectError } from "@connectrpc/connect";
import type { User } from "../../gen/signet/v1/user_pb.ts";
import { Failure } from "../../src/model/failure.ts";
import { type Clients, refusalOf, uniqueEmail } from "./builders.ts";
import { isPassing } from "./unforeseen.ts";

/** Writers that call the service, and remember what it has confirmed. */
export interface FaultWriters {
  /** How many changes have been confirmed so far. */
  confirmed(): number;
  /** How many of them were made in transactions beside the service. */
  renamed(): number;
  /** By User, the display name that each version was confirmed with. */
  readonly names: ReadonlyMap<string, ReadonlyMap<number, string>>;
  /** Users whose deletion was confirmed. */
  readonly deleted: ReadonlySet<string>;
  /** What must stay empty: refusals that no crash explains, and versions confirmed twice. */
  readonly faults: readonly string[];
  /** Writes until it is over. */
  run(isOver: () => boolean, signal: AbortSignal): Promise<void>;
}

/** How the writers write. */
export interface FaultWritersOptions {
  /** The same key at each process of the service. */
  readonly processes: readonly Pick<Clients, "users">[];
  /** Users that there are already. */
  readonly userIds: readonly string[];
  /** Writers that call, one change at a time. */
  readonly writers: number;
  /** Writers of transactions with many changes each, as an import has them. */
  readonly bulkWriters: number;
  /** About how many changes there will be. */
  readonly changes: number;
  /** Gives Users these names in one transaction; returns the versions that they have come to. */
  rename(names: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, number>>;
}

/** As many Users are created in a run, and as many deleted; more would fill the memory. */
const CREATED_MAX = 2_000;
const CREATED_SHARE_MAX = 0.05;
const CALL_MS_MAX = 15_000;
/** Users whom one transaction renames; more would keep the other writers waiting for too long. */
const RENAMED_MAX = 20;
/** Of all changes, so many at most; the others are made by calls. */
const RENAMED_SHARE_MAX = 0.8;
const TURN_MS = 20;

/** Creates the writers; they update at random, and those that call also create and delete. */
export function createFaultWriters(options: FaultWritersOptions): FaultWriters {
  const { processes, changes } = options;
  const share = Math.min(CREATED_SHARE_MAX, CREATED_MAX / changes);
  const ids = [...options.userIds];
  const names = new Map<string, Map<number, string>>();
  const deleted = new Set<string>();
  const faults: string[] = [];
  let confirmed = 0;
  let renamed = 0;
  let named = 0;

  /** Short, since all of them are kept; no two are the same. */
  function nextName(): string {
    named += 1;
    return `name ${named}`;
  }

  function note(userId: string, version: number, name: string): void {
    confirmed += 1;
    const known = names.get(userId) ?? new Map<number, string>();
    if (known.has(version)) faults.push(`version ${version} of ${userId} was confirmed twice`);
    names.set(userId, known.set(version, name));
  }

  function confirm(user: User | undefined, displayName: string): void {
    if (!user) throw new Error("an answer without a User");
    if (user.displayName !== displayName) faults.push(`${user.id} was answered with another name`);
    note(user.id, Number(user.version), displayName);
  }

  /** A call whose outcome is unknown may have been the first to delete, so nobody is found. */
  async function writeOnce({ users }: Pick<Clients, "users">): Promise<void> {
    const dice = Math.random();
    const userId = pick(ids);
    const limits = { timeoutMs: CALL_MS_MAX };
    if (userId === undefined || dice < share) {
      const displayName = nextName();
      const { user } = await users.createUser({ email: uniqueEmail(), displayName }, limits);
      confirm(user, displayName);
      if (user) ids.push(user.id);
    } else if (dice < 2 * share) {
      ids.splice(ids.indexOf(userId), 1);
      const { user } = await users.deleteUser({ userId }, limits);
      confirm(user, "");
      deleted.add(userId);
    } else {
      const displayName = nextName();
      const { user } = await users.updateUser({ userId, displayName }, limits);
      confirm(user, displayName);
    }
  }

  async function renameSome(): Promise<void> {
    if (renamed > RENAMED_SHARE_MAX * confirmed) {
      await sleep(TURN_MS);
      return;
    }
    const wanted = new Map<string, string>();
    const size = 1 + Math.floor(Math.random() * RENAMED_MAX);
    for (let n = 0; n < size; n += 1) wanted.set(pick(ids) ?? "", nextName());
    for (const [userId, version] of await options.rename(wanted)) {
      note(userId, version, wanted.get(userId) ?? "");
      renamed += 1;
    }
  }

  async function repeat(isOver: () => boolean, writeNext: () => Promise<void>): Promise<void> {
    while (!isOver()) {
      await writeNext().catch(async (error: unknown) => {
        if (!isExpected(error)) faults.push(String(error));
        await sleep(20 + Math.random() * 100);
      });
    }
  }

  async function callOnce(): Promise<void> {
    const process = pick(processes);
    if (!process) throw new Error("there is nobody to write to");
    await writeOnce(process);
  }

  return {
    confirmed: () => confirmed,
    renamed: () => renamed,
    names,
    deleted,
    faults,
    async run(isOver, signal) {
      const { writers, bulkWriters } = options;
      const ends = () => {
        signal.throwIfAborted();
        return isOver();
      };
      const calling = Array.from({ length: writers }, () => repeat(ends, callOnce));
      const renaming = Array.from({ length: bulkWriters }, () => repeat(ends, renameSome));
      await Promise.all([...calling, ...renaming]);
    },
  };
}

/** Another writer may have deleted the User in the meantime. */
function isExpected(error: unknown): boolean {
  return (
    (error instanceof Failure && error.reason === "unavailable") ||
    isPassing(error) ||
    (error instanceof ConnectError && refusalOf(error).reason === "USER_NOT_FOUND")
  );
}

function pick<T>(list: readonly T[]): T | undefined {
  return list[Math.floor(Math.random() * list.length)];
}
