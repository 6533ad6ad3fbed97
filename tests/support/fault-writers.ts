import { setTimeout as sleep } from "node:timers/promises";
import { ConnectError } from "@connectrpc/connect";
import type { User } from "../../gen/signet/v1/user_pb.ts";
import { Failure } from "../../src/model/failure.ts";
import { type Clients, refusalOf, uniqueEmail } from "./builders.ts";
import type { Intent, OperationLog, Outcome, WrittenVersion } from "./operation-log.ts";
import { isPassing } from "./unforeseen.ts";

/** Writers that call the service, each one call after the other, and log what they are told. */
export interface FaultWriters {
  /** How many changes were acknowledged to those that write beside the service. */
  renamed(): number;
  /** What must stay empty: refusals that no fault explains. */
  readonly faults: readonly string[];
  /** Writes until it is over. */
  run(isOver: () => boolean, signal: AbortSignal): Promise<void>;
}

/** How the writers write. */
export interface FaultWritersOptions {
  readonly log: OperationLog;
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
  /** Whether every request is to be made twice at present. */
  isTwice(): boolean;
  /** How long a writer waits for an answer. */
  readonly callMsMax: number;
  /** Gives Users these names in one transaction; returns the versions that they have come to. */
  rename(names: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, number>>;
}

type Process = Pick<Clients, "users">;

/** As many Users are created in a run, and as many deleted; more would fill the memory. */
const CREATED_MAX = 2_000;
const CREATED_SHARE_MAX = 0.05;
/** Of the calls, so many at least are made twice at once, at two processes. */
const TWICE_SHARE = 0.05;
/** Users whom one transaction renames; more would keep the other writers waiting for too long. */
const RENAMED_MAX = 20;
/** Of all changes, so many at most; the others are made by calls. */
const RENAMED_SHARE_MAX = 0.8;
const TURN_MS = 20;

/** With these answers nothing has happened. */
const REFUSALS = ["USER_NOT_FOUND", "VERSION_MISMATCH", "EMAIL_TAKEN", "OVERLOADED"];

/** Creates the writers; they update at random, and those that call also create and delete. */
export function createFaultWriters(options: FaultWritersOptions): FaultWriters {
  const { log, processes, changes, callMsMax } = options;
  const share = Math.min(CREATED_SHARE_MAX, CREATED_MAX / changes);
  const ids = [...options.userIds];
  const faults: string[] = [];
  let renamed = 0;
  let named = 0;

  /** Short, since all of them are kept; no two are the same. */
  function nextName(): string {
    named += 1;
    return `name ${named}`;
  }

  /** Logs an operation from its begin to its end; returns what was written, if that is known. */
  async function write(
    client: string,
    intent: Intent,
    work: () => Promise<readonly WrittenVersion[]>,
  ): Promise<readonly WrittenVersion[] | undefined> {
    const end = log.invoke(client, intent);
    try {
      const written = await work();
      end({ type: "acknowledged", written });
      return written;
    } catch (error) {
      end(outcomeOf(error));
      if (!isExpected(error)) faults.push(String(error));
      return undefined;
    }
  }

  async function createOne(client: string, { users }: Process): Promise<boolean> {
    const name = nextName();
    const user = { email: uniqueEmail(), displayName: name };
    const written = await write(client, { type: "create", name }, async () =>
      writtenIn((await users.createUser(user, limits())).user),
    );
    ids.push(...(written ?? []).map(({ userId }) => userId));
    return written !== undefined;
  }

  /** Whose outcome is unknown may be deleted by now; nobody else is to write to it. */
  async function deleteOne(client: string, { users }: Process, userId: string): Promise<boolean> {
    ids.splice(ids.indexOf(userId), 1);
    const work = async () => writtenIn((await users.deleteUser({ userId }, limits())).user);
    return (await write(client, { type: "delete", userId }, work)) !== undefined;
  }

  async function renameOne(
    client: string,
    { users }: Process,
    change: { readonly userId: string; readonly displayName: string; expectedVersion?: bigint },
  ): Promise<boolean> {
    const names = new Map([[change.userId, change.displayName]]);
    const work = async () => writtenIn((await users.updateUser(change, limits())).user);
    return (await write(client, { type: "rename", names }, work)) !== undefined;
  }

  /** The same request, for the same version, at two processes at once: it takes effect once. */
  async function renameTwice(client: string, userId: string): Promise<boolean> {
    const [first, second] = [pick(processes), pick(processes)];
    const found = await first.users.getUser({ userId }, limits()).catch(() => undefined);
    if (!found?.user) return false;
    const change = { userId, displayName: nextName(), expectedVersion: found.user.version };
    const done = await Promise.all([
      renameOne(client, first, change),
      renameOne(`${client} again`, second, change),
    ]);
    if (done.every(Boolean)) faults.push(`${change.displayName} was acknowledged twice`);
    return done.includes(true);
  }

  async function callOnce(client: string): Promise<boolean> {
    const dice = Math.random();
    const process = pick(processes);
    if (ids.length === 0 || dice < share) return await createOne(client, process);
    const userId = pick(ids);
    if (dice < 2 * share) return await deleteOne(client, process, userId);
    if (options.isTwice() || dice < 2 * share + TWICE_SHARE)
      return await renameTwice(client, userId);
    return await renameOne(client, process, { userId, displayName: nextName() });
  }

  async function renameSome(client: string): Promise<boolean> {
    if (renamed > RENAMED_SHARE_MAX * log.acknowledged() || ids.length === 0) return false;
    const size = 1 + Math.floor(Math.random() * RENAMED_MAX);
    const names = new Map(Array.from({ length: size }, () => [pick(ids), nextName()]));
    const written = await write(client, { type: "rename", names }, async () => {
      const versions = await options.rename(names);
      return [...versions].map(([userId, version]) => ({
        userId,
        version,
        name: names.get(userId) ?? "",
      }));
    });
    renamed += written?.length ?? 0;
    return written !== undefined;
  }

  const limits = () => ({ timeoutMs: callMsMax });

  return {
    renamed: () => renamed,
    faults,
    async run(isOver, signal) {
      const repeat = async (writeNext: () => Promise<boolean>): Promise<void> => {
        while (!isOver()) {
          signal.throwIfAborted();
          if (!(await writeNext())) await sleep(TURN_MS + Math.random() * 100);
        }
      };
      const { writers, bulkWriters } = options;
      const times = (count: number, work: (n: number) => Promise<boolean>) =>
        Array.from({ length: count }, (_, n) => repeat(() => work(n)));
      await Promise.all([
        ...times(writers, (n) => callOnce(`writer ${n}`)),
        ...times(bulkWriters, (n) => renameSome(`bulk writer ${n}`)),
      ]);
    },
  };
}

function writtenIn(user: User | undefined): readonly WrittenVersion[] {
  if (!user) throw new Error("an answer without a User");
  return [{ userId: user.id, version: Number(user.version), name: user.displayName }];
}

function outcomeOf(error: unknown): Outcome {
  const reason = error instanceof ConnectError ? refusalOf(error).reason : "";
  if (REFUSALS.includes(reason)) return { type: "refused", reason };
  return { type: "unknown", problem: String(error) };
}

/** Another writer may have changed or deleted the User in the meantime. */
function isExpected(error: unknown): boolean {
  return (
    (error instanceof Failure && error.reason === "unavailable") ||
    isPassing(error) ||
    outcomeOf(error).type === "refused"
  );
}

function pick<T>(list: readonly T[]): T {
  const picked = list[Math.floor(Math.random() * list.length)];
  if (picked === undefined) throw new Error("there is nothing to pick from");
  return picked;
}
