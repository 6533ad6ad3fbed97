import { randomBytes } from "node:crypto";
import type { WatchUsersResponse } from "../../gen/signet/v1/sync_service_pb.ts";
import { createCursorBox } from "../../src/crypto/cursor-box.ts";
import { createSubkeys } from "../../src/crypto/subkeys.ts";
import { createChangeReader } from "../../src/domain/change-reader.ts";
import type { Deps } from "../../src/domain/deps.ts";
import { createLiveState } from "../../src/domain/live-state.ts";
import type { Caller } from "../../src/model/caller.ts";
import { systemClock } from "../../src/model/clock.ts";
import type { SiteId } from "../../src/model/id.ts";
import { createChangeRing } from "../../src/rpc/change-ring.ts";
import type { FrameSink } from "../../src/rpc/frame-sink.ts";
import { queueMessages } from "../../src/rpc/message-queue.ts";
import type { StreamBounds } from "../../src/rpc/stream-bounds.ts";
import { createStreamSlots } from "../../src/rpc/stream-slots.ts";
import { createWatchDeps, type WatchDeps } from "../../src/rpc/watch-deps.ts";
import type { Watch } from "../../src/rpc/watch-open.ts";
import { parseWatchScope } from "../../src/rpc/watch-scope.ts";
import { runUserStream } from "../../src/rpc/watch-users.ts";
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
  /** What the streams share. */
  readonly shared: WatchDeps;
  /** How many streams there are. */
  streams(): number;
  /** Snapshots that may still begin, of the eight of a process. */
  freeSnapshots(): number;
  /** Opens a stream. `db` stands for the database, where that stream reads log and snapshot. */
  open(options?: Partial<Watch> & { readonly db?: Database }): OpenStream;
  /** Runs a stream into a sink; resolves or fails as the stream ends. */
  run(sink: FrameSink, options?: Partial<Watch>): Promise<void>;
}

/** One stream, read frame by frame. */
export interface OpenStream {
  readonly frames: AsyncGenerator<WatchUsersResponse>;
  /** Returns the value of the next frame of a kind, and passes over the others. */
  next<Case extends FrameCase>(wanted: Case): Promise<FrameValue<Case>>;
  /** Leaves as a client does that vanishes: the signal, and `return` from the server. */
  leave(): Promise<void>;
}

type Frame = WatchUsersResponse["frame"];
type FrameCase = NonNullable<Frame["case"]>;
type FrameValue<Case> = Extract<Frame, { readonly case: Case }>["value"];

const SNAPSHOTS_MAX = 8;

/** Starts the reader over a database of its own. */
export async function openWatchHarness({
  ringBytesMax,
  bounds,
}: {
  readonly ringBytesMax?: number;
  readonly bounds?: Partial<StreamBounds>;
} = {}): Promise<WatchHarness> {
  const database = await openTestDatabase();
  const siteId = await createBareSite(database.db);
  const reader = createChangeReader({ db: database.db, log: silentLog });
  const live = createLiveState(reader.isFresh);
  const keys = new Map([[1, randomBytes(32)]]);
  const cursors = createCursorBox(createSubkeys({ current: 1, keys }));
  const used: Partial<Deps> = { db: database.db, cursors, live, clock: systemClock };
  const ring = createChangeRing(ringBytesMax);
  const created = createWatchDeps(used as Deps, { ring, ...(bounds && { bounds }) }); // No more.
  const snapshots = createStreamSlots({
    eachMax: SNAPSHOTS_MAX,
    siteMax: SNAPSHOTS_MAX,
    totalMax: SNAPSHOTS_MAX,
    refusal: "catch_up_busy",
    retryDelayMs: 1,
  });
  const shared: WatchDeps = { ...created, snapshots };
  reader.onStep(({ rows }) => live.apply(rows));
  reader.onStep(shared.apply);
  await reader.start();
  const caller = siteKeyOf(siteId);

  return {
    database,
    siteId,
    generator: createChangeGenerator(database.db, siteId),
    wake: reader.wake,
    epoch: reader.epoch,
    shared,
    streams: shared.ends.count,
    freeSnapshots: () => countFree(() => snapshots.take(siteId, "free")),
    open({ db, ...watch } = {}) {
      const seen = db ? { ...shared, deps: { ...shared.deps, db } } : shared;
      return openStream(seen, { ...defaultWatch(siteId, caller), ...watch });
    },
    run(sink, watch) {
      const { signal } = new AbortController();
      const running = runUserStream(
        shared,
        { ...defaultWatch(siteId, caller), signal, ...watch },
        sink,
      );
      running.catch(() => undefined); // Those that a test leaves behind fail with the database.
      return running;
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
  const frames = queueMessages<WatchUsersResponse>(leaving.signal, (sink, signal) =>
    runUserStream(shared, { ...watch, signal }, sink),
  );
  return {
    frames,
    async next(wanted) {
      for (;;) {
        const { done, value } = await frames.next();
        if (done) throw new Error(`the stream has ended before ${wanted}`);
        const { frame } = value;
        if (frame.case === wanted) return frame.value as FrameValue<typeof wanted>;
      }
    },
    async leave() {
      leaving.abort();
      await frames.return(undefined);
    },
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
