import type { SignetClient, Subscription, SubscriptionItem, User } from "../client/index.ts";
import { DemoError, ensure } from "./narrator.ts";

/** What an app keeps of a Site's Users, and where it is in their Changes. */
export interface AppMirror {
  readonly users: Map<string, User>;
  /** Empty: it has received nothing yet. */
  cursor: string;
}

/** A mirror that follows the Users of its Site. */
export interface Following {
  /** Resolves when `isSo` holds of the mirror, now or after a later Change. */
  waitUntil(what: string, isSo: () => boolean): Promise<void>;
  /** Resolves when the snapshot is complete, or the stream resumed. */
  live(): Promise<void>;
  /** Leaves the stream; the mirror keeps what it has. */
  stop(): Promise<void>;
}

const WAIT_MS_MAX = 10_000;

/** Keeps a mirror in step, as an app would keep a table: one transaction for each item. */
export function follow(client: SignetClient, mirror: AppMirror): Following {
  const subscription: Subscription = client.subscribe({ cursor: mirror.cursor });
  const waits = new Set<() => void>();
  let isLive = false;
  let failure: unknown;

  async function run(): Promise<void> {
    for await (const item of subscription) {
      apply(mirror, item);
      isLive ||= item.type === "snapshot_end" || (item.type === "hello" && !item.snapshot);
      for (const wake of waits) wake();
    }
  }
  const running = run().catch((error: unknown) => {
    failure = error;
    for (const wake of waits) wake();
  });

  function waitUntil(what: string, isSo: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => end(new DemoError(`${what}: not within 10 s`)), WAIT_MS_MAX);
      const end = (error?: unknown) => {
        clearTimeout(timer);
        waits.delete(wake);
        if (error === undefined) resolve();
        else reject(error);
      };
      const wake = () => {
        if (failure !== undefined) end(failure);
        else if (isSo()) end();
      };
      waits.add(wake);
      wake();
    });
  }

  return {
    waitUntil,
    live: () => waitUntil("the stream is live", () => isLive),
    async stop() {
      subscription.close();
      await running;
    },
  };
}

function apply(mirror: AppMirror, item: SubscriptionItem): void {
  if (item.type === "snapshot_page") for (const user of item.users) put(mirror, user);
  if (item.type === "changes") {
    for (const { user } of item.changes) if (user) put(mirror, user);
  }
  if (item.cursor) mirror.cursor = item.cursor;
}

/** Delivery is at least once: what the mirror has already, or something newer, stays. */
function put({ users }: AppMirror, user: User): void {
  const known = users.get(user.id);
  if (known && known.version >= user.version) return;
  ensure(user.version > 0n, `the User ${user.id} has a version`);
  users.set(user.id, user);
}
