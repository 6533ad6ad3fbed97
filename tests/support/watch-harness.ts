import { randomBytes } from "node:crypto";
import { createCursorBox } from "../../src/crypto/cursor-box.ts";
import { createSubkeys } from "../../src/crypto/subkeys.ts";
import { createChangeReader } from "../../src/domain/change-reader.ts";
import type { Deps } from "../../src/domain/deps.ts";
import { createLiveState, type LiveState } from "../../src/domain/live-state.ts";
import type { Caller } from "../../src/model/caller.ts";
import { systemClock } from "../../src/model/clock.ts";
import type { SiteId } from "../../src/model/id.ts";
import { type ChangeRing, createChangeRing } from "../../src/rpc/change-ring.ts";
import { createStreamSlots } from "../../src/rpc/stream-slots.ts";
import type { Frame } from "../../src/rpc/watch-frames.ts";
import { parseWatchScope } from "../../src/rpc/watch-scope.ts";
import { type Watch, type WatchDeps, watchUsers } from "../../src/rpc/watch-users.ts";
import type { Database } from "../../src/store/database.ts";
import { createBareSite } from "./bare-site.ts";
import { type ChangeGenerator, createChangeGenerator } from "./change-generator.ts";
import { openTestDatabase, type TestDatabase } from "./database.ts";
import { silentLog } from "./postgres.ts";

/** The streams of one process, without the wire: reader, ring and generators. */
export interface WatchHarness extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly siteId: SiteId;
  readonly generator: ChangeGenerator;
  /** Makes the reader look now. */
  wake(): void;
  epoch(): number;
  /** How many streams wait for a change. */
  waiting(): number;
  /** How many key watches, of streams, are held. */
  keyWatches(): number;
  /** Snapshots that may still begin, of the eight of a process. */
  freeSnapshots(): number;
  /** Opens a stream. `db` stands for the database, as that stream sees it. */
  open(
    options?: Partial<Watch> & { readonly db?: Database; readonly ring?: ChangeRing },
  ): OpenStream;
}

/** One stream, read frame by frame. */
export interface OpenStream {
  readonly frames: AsyncGenerator<Frame>;
  /** Returns the value of the next frame of a kind, and passes over the others. */
  next<Case extends FrameCase>(wanted: Case): Promise<FrameValue<Case>>;
  /** Leaves as a client does that vanishes: the signal, and `return` from the server. */
  leave(): Promise<void>;
}

type FrameCase = NonNullable<NonNullable<Frame["frame"]>["case"]>;
type FrameValue<Case> = Extract<NonNullable<Frame["frame"]>, { case: Case }>["value"];

const SNAPSHOTS_MAX = 8;

/** Starts the reader over a database of its own. */
export async function openWatchHarness(ringBytesMax?: number): Promise<WatchHarness> {
  const database = await openTestDatabase();
  const siteId = await createBareSite(database.db);
  const reader = createChangeReader({ db: database.db, log: silentLog });
  const { ring, waiting } = countListeners(createChangeRing(ringBytesMax));
  const feed = createLiveState(reader.isFresh);
  const { live, held } = countKeyWatches(feed);
  const keys = new Map([[1, randomBytes(32)]]);
  const cursors = createCursorBox(createSubkeys({ current: 1, keys }));
  const snapshots = createStreamSlots({
    eachMax: SNAPSHOTS_MAX,
    totalMax: SNAPSHOTS_MAX,
    refusal: "catch_up_busy",
    retryDelayMs: 1,
  });
  reader.onStep(({ rows }) => feed.apply(rows));
  reader.onStep(ring.apply);
  await reader.start();
  const caller = siteKeyOf(siteId);

  return {
    database,
    siteId,
    generator: createChangeGenerator(database.db, siteId),
    wake: reader.wake,
    epoch: reader.epoch,
    waiting,
    keyWatches: held,
    freeSnapshots: () => countFree(() => snapshots.take("free")),
    open({ db = database.db, ring: own = ring, ...watch } = {}) {
      const used: Partial<Deps> = { db, cursors, live, clock: systemClock };
      const deps = used as Deps; // A stream uses no more of them.
      const shared: WatchDeps = { deps, ring: own, epoch: reader.epoch, snapshots };
      return openStream(shared, { ...defaultWatch(siteId, caller), ...watch });
    },
    async [Symbol.asyncDispose]() {
      await reader.stop();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** The caller that the streams of a harness have by default. */
export function siteKeyOf(siteId: SiteId, userFields: readonly string[] = []): Caller {
  const keyId = siteId as string as Extract<Caller, { kind: "site_key" }>["keyId"];
  return { kind: "site_key", siteId, keyId, scopes: ["sync"], userFields, expireTime: undefined };
}

function defaultWatch(siteId: SiteId, caller: Caller): Omit<Watch, "signal"> {
  return {
    caller,
    siteId,
    scope: parseWatchScope(undefined, caller),
    cursor: "",
    snapshot: true,
    clientName: "test",
    heartbeatSeconds: 1,
  };
}

function openStream(shared: WatchDeps, watch: Omit<Watch, "signal">): OpenStream {
  const leaving = new AbortController();
  const frames = watchUsers(shared, { ...watch, signal: leaving.signal });
  return {
    frames,
    async next(wanted) {
      for (;;) {
        const { done, value } = await frames.next();
        if (done) throw new Error(`the stream has ended before ${wanted}`);
        const { frame } = value;
        if (frame?.case === wanted) return frame.value as FrameValue<typeof wanted>;
      }
    },
    async leave() {
      leaving.abort();
      await frames.return(undefined);
    },
  };
}

function countListeners(ring: ChangeRing) {
  let count = 0;
  const counted: ChangeRing = {
    ...ring,
    onChange(siteId, listener) {
      count += 1;
      const stop = once(ring.onChange(siteId, listener), () => (count -= 1));
      return stop;
    },
  };
  return { ring: counted, waiting: () => count };
}

function countKeyWatches(live: LiveState) {
  let count = 0;
  const counted: LiveState = {
    ...live,
    onKeyRevoked(siteId, keyId, listener) {
      count += 1;
      return once(live.onKeyRevoked(siteId, keyId, listener), () => (count -= 1));
    },
  };
  return { live: counted, held: () => count };
}

function once(stop: () => void, note: () => void): () => void {
  let stopped = false;
  return () => {
    stop();
    if (!stopped) note();
    stopped = true;
  };
}

function countFree(take: () => () => void): number {
  const taken: (() => void)[] = [];
  try {
    for (;;) taken.push(take());
  } catch {
    return taken.length;
  } finally {
    for (const giveBack of taken) giveBack();
  }
}
