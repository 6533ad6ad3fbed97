import { setTimeout as sleep } from "node:timers/promises";
import {
  createMemoryMirror,
  createPostgresMirror,
  createSignetClient,
  createUserMirror,
  type MirrorConnection,
  type MirrorPool,
  type MirrorStorage,
  type User,
  UserState,
} from "../../src/client/index.ts";
import { withConnection } from "../../src/client/postgres-connection.ts";
import type { Held, OwnSums } from "./site-sums.ts";

/** What a mirror holds of a User. */
export interface MirrorRow extends Held {
  readonly displayName: string;
}

/** Where a mirror is kept, and what an app would see of it. */
export interface MirrorPlace<Transaction = never> {
  readonly name: string;
  readonly storage: MirrorStorage<Transaction>;
  /** Writes down that the app was told of new Users, in the mirror's own transaction. */
  onCreate(transaction: Transaction, users: readonly User[]): Promise<void>;
  /** Every row, tombstones included. */
  rows(): Promise<Map<string, MirrorRow>>;
  /** How often the app was told of each User, as far as that was kept. */
  created(): Promise<Map<string, number>>;
}

/** The client's mirror, in an app that never runs for long. */
export interface RestlessMirror {
  readonly place: Omit<MirrorPlace, "onCreate" | "storage">;
  /** What must stay empty: sums or Users that differ, and an end by itself. */
  readonly faults: readonly string[];
  /** How often it was opened. */
  opened(): number;
  /** Checkpoints whose sums were compared. */
  compared(): number;
  /** The sums that it keeps beside its rows. */
  sums(): Promise<OwnSums | undefined>;
  /** Opens and closes it again and again until it has reached `end`. */
  followTo(end: () => number, signal: AbortSignal): Promise<void>;
}

const PROTOCOLS = ["connect", "grpc"] as const;
const OPEN_MS_MAX = 4_000;
const POLL_MS = 50;

/** Creates the mirror; it goes to a random one of the processes each time. */
export function createRestlessMirror<Transaction>(
  place: MirrorPlace<Transaction>,
  { urls, key }: { readonly urls: readonly string[]; readonly key: string },
): RestlessMirror {
  const faults: string[] = [];
  const count = { opened: 0, compared: 0 };

  function open() {
    const url = urls[Math.floor(Math.random() * urls.length)] ?? "";
    const protocol = PROTOCOLS[Math.floor(Math.random() * 2)];
    const client = createSignetClient({ url, key, protocol });
    const { storage, onCreate, name } = place;
    const mirror = createUserMirror({
      client,
      storage,
      name,
      clientId: name,
      onCreate,
      heartbeatSeconds: 1,
      onEvent(event) {
        if (event.type === "user_differs") faults.push(`${name}: ${event.difference}`);
        if (event.type === "out_of_sync" && event.cause !== "lagging") {
          faults.push(`${name}: ${event.cause} by ${event.drift}`);
        }
      },
    });
    count.opened += 1;
    const ended = notesEnd(mirror);
    return {
      async close() {
        count.compared += mirror.metrics().checkpointsCompared;
        await mirror.close();
        client.close();
        await ended;
      },
    };
  }

  async function notesEnd({ status }: ReturnType<typeof createUserMirror>): Promise<void> {
    for await (const present of status) {
      if (present.type === "closed" && present.error) faults.push(String(present.error));
    }
  }

  async function hasReached(position: number): Promise<boolean> {
    const state = await place.storage.readState().catch(() => undefined);
    return state?.phase === "tail" && state.position >= position;
  }

  return {
    place,
    faults,
    opened: () => count.opened,
    compared: () => count.compared,
    sums: async () => (await place.storage.readState()).sums,
    async followTo(end, signal) {
      let present = open();
      try {
        for (let closeMs = nextClose(); !(await hasReached(end())); ) {
          signal.throwIfAborted();
          await sleep(POLL_MS);
          if (performance.now() < closeMs) continue;
          const next = open(); // It stands by until the other one is gone.
          await present.close();
          present = next;
          closeMs = nextClose();
        }
      } finally {
        await present.close();
      }
    },
  };
}

/** A place in the memory of the test. */
export function openMemoryPlace(name: string): MirrorPlace<ReadonlyMap<string, User>> {
  const storage = createMemoryMirror();
  const created = new Map<string, number>();
  return {
    name,
    storage,
    async onCreate(_transaction, users) {
      for (const { id } of users) created.set(id, (created.get(id) ?? 0) + 1);
    },
    async rows() {
      return new Map([...storage.users].map(([id, user]) => [id, rowOf(user)]));
    },
    created: async () => created,
  };
}

/** A place in a database of an app; its table of accounts would show who came twice. */
export async function openPostgresPlace(
  name: string,
  pool: MirrorPool,
): Promise<MirrorPlace<MirrorConnection>> {
  const query = (text: string) => withConnection(pool, (connection) => connection.query(text));
  await query(`create table if not exists ${name}_accounts (user_id uuid not null)`);
  return {
    name,
    storage: createPostgresMirror({ pool, table: name }),
    async onCreate(connection, users) {
      const ids = JSON.stringify(users.map(({ id }) => id));
      await connection.query(
        `insert into ${name}_accounts select value::uuid from json_array_elements_text($1::json)`,
        [ids],
      );
    },
    async rows() {
      const { rows } = await query(`select id, version, deleted, display_name from ${name}`);
      return new Map(
        rows.map(({ id, version, deleted, display_name }) => [
          String(id),
          {
            version: Number(version),
            deleted: deleted === true,
            displayName: String(display_name ?? ""),
          },
        ]),
      );
    },
    async created() {
      const { rows } = await query(
        `select user_id, count(*)::integer as count from ${name}_accounts group by user_id`,
      );
      return new Map(rows.map(({ user_id, count }) => [String(user_id), Number(count)]));
    },
  };
}

function rowOf({ version, state, displayName }: User): MirrorRow {
  return { version: Number(version), deleted: state === UserState.DELETED, displayName };
}

function nextClose(): number {
  return performance.now() + Math.random() * OPEN_MS_MAX;
}
