import { setTimeout as sleep } from "node:timers/promises";
import { ConnectError } from "@connectrpc/connect";
import type { User } from "../../gen/signet/v1/user_pb.ts";
import { type Clients, refusalOf, unique, uniqueEmail } from "./builders.ts";
import { isPassing } from "./unforeseen.ts";

/** Writers that call the service, and remember what it has confirmed. */
export interface FaultWriters {
  /** How many changes have been confirmed so far. */
  confirmed(): number;
  /** By User, the display name that each version was confirmed with. */
  readonly names: ReadonlyMap<string, ReadonlyMap<number, string>>;
  /** Users whose deletion was confirmed. */
  readonly deleted: ReadonlySet<string>;
  /** What must stay empty: refusals that no crash explains, and versions confirmed twice. */
  readonly faults: readonly string[];
  /** Writes until so many changes have been confirmed. */
  run(signal: AbortSignal): Promise<void>;
}

/** How the writers write. */
export interface FaultWritersOptions {
  /** The same key at each process of the service. */
  readonly processes: readonly Pick<Clients, "users">[];
  /** Users that there are already. */
  readonly userIds: readonly string[];
  readonly writers: number;
  readonly changes: number;
}

/** As many Users are created in a run, and as many deleted; more would fill the memory. */
const CREATED_MAX = 2_000;
const CREATED_SHARE_MAX = 0.05;
const CALL_MS_MAX = 15_000;

/** Creates the writers; they update at random, and now and then create and delete. */
export function createFaultWriters(options: FaultWritersOptions): FaultWriters {
  const { processes, changes } = options;
  const share = Math.min(CREATED_SHARE_MAX, CREATED_MAX / changes);
  const ids = [...options.userIds];
  const names = new Map<string, Map<number, string>>();
  const deleted = new Set<string>();
  const faults: string[] = [];
  let confirmed = 0;

  function confirm(user: User | undefined): void {
    if (!user) throw new Error("an answer without a User");
    confirmed += 1;
    const version = Number(user.version);
    const known = names.get(user.id) ?? new Map<number, string>();
    if (known.has(version)) faults.push(`version ${version} of ${user.id} was confirmed twice`);
    names.set(user.id, known.set(version, user.displayName));
  }

  /** A call whose outcome is unknown may have been the first to delete, so nobody is found. */
  async function writeOnce({ users }: Pick<Clients, "users">): Promise<void> {
    const dice = Math.random();
    const userId = pick(ids);
    const limits = { timeoutMs: CALL_MS_MAX };
    if (userId === undefined || dice < share) {
      const wanted = { email: uniqueEmail(), displayName: unique("created") };
      const { user } = await users.createUser(wanted, limits);
      confirm(user);
      if (user) ids.push(user.id);
    } else if (dice < 2 * share) {
      ids.splice(ids.indexOf(userId), 1);
      const { user } = await users.deleteUser({ userId }, limits);
      confirm(user);
      deleted.add(userId);
    } else {
      const displayName = unique("updated");
      const { user } = await users.updateUser({ userId, displayName }, limits);
      if (user?.displayName !== displayName)
        faults.push(`${userId} was answered with another name`);
      confirm(user);
    }
  }

  async function write(signal: AbortSignal): Promise<void> {
    while (confirmed < changes) {
      signal.throwIfAborted();
      const process = pick(processes);
      if (!process) throw new Error("there is nobody to write to");
      await writeOnce(process).catch(async (error: unknown) => {
        if (!isExpected(error)) faults.push(String(error));
        await sleep(20 + Math.random() * 100);
      });
    }
  }

  return {
    confirmed: () => confirmed,
    names,
    deleted,
    faults,
    async run(signal) {
      await Promise.all(Array.from({ length: options.writers }, () => write(signal)));
    },
  };
}

/** Another writer may have deleted the User in the meantime. */
function isExpected(error: unknown): boolean {
  return (
    isPassing(error) ||
    (error instanceof ConnectError && refusalOf(error).reason === "USER_NOT_FOUND")
  );
}

function pick<T>(list: readonly T[]): T | undefined {
  return list[Math.floor(Math.random() * list.length)];
}
