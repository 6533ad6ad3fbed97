import type { ReaderStep } from "../domain/change-reader.ts";
import type { Deps } from "../domain/deps.ts";
import { createHeadReads, type HeadReads } from "../domain/head-reads.ts";
import { createTurns, type Turns } from "../domain/turns.ts";
import { LIMITS } from "../model/limits.ts";
import { type ChangeRing, createChangeRing } from "./change-ring.ts";
import { STREAM_BOUNDS, type StreamBounds } from "./stream-bounds.ts";
import { createStreamEnds, type StreamEnds } from "./stream-ends.ts";
import { createStreamSlots, type StreamSlots } from "./stream-slots.ts";
import { createWatchHub, type WatchHub } from "./watch-hub.ts";

/** What the streams of a process share. */
export interface WatchDeps {
  readonly deps: Deps;
  readonly bounds: StreamBounds;
  readonly ring: ChangeRing;
  /** The classes of subscribers, and the frames that each shares. */
  readonly hub: WatchHub;
  readonly ends: StreamEnds;
  readonly heads: HeadReads;
  /** Whose turn it is to read log or snapshot. */
  readonly reads: Turns;
  /** Streams that are open. */
  readonly streams: StreamSlots;
  /** Snapshots under way. */
  readonly snapshots: StreamSlots;
  /** Takes in what the reader brings; to be called after the live state has heard it. */
  apply(step: ReaderStep): void;
}

/** Creates what all streams share. */
export function createWatchDeps(
  deps: Deps,
  options: {
    readonly bounds?: Partial<StreamBounds> | undefined;
    readonly ring?: ChangeRing | undefined;
  } = {},
): WatchDeps {
  const bounds: StreamBounds = { ...STREAM_BOUNDS, ...options.bounds };
  const ring = options.ring ?? createChangeRing();
  const ends = createStreamEnds(deps.live, bounds);
  return {
    deps,
    bounds,
    ring,
    hub: createWatchHub(deps, ring),
    ends,
    heads: createHeadReads(deps),
    reads: createTurns(bounds.readsMax),
    streams: createStreamSlots({
      eachMax: LIMITS.streamsPerClientMax,
      siteMax: LIMITS.streamsPerSiteMax,
      totalMax: LIMITS.streamsMax,
      refusal: "too_many_streams",
      retryDelayMs: 5_000,
    }),
    snapshots: createStreamSlots({
      eachMax: LIMITS.snapshotsPerClientMax,
      siteMax: LIMITS.snapshotsPerSiteMax,
      totalMax: LIMITS.snapshotsMax,
      refusal: "catch_up_busy",
      retryDelayMs: 1_000,
    }),
    apply(step) {
      ring.apply(step);
      ends.apply(step);
    },
  };
}
