import type { SiteSums } from "./change.ts";
import type { ApiKeyId, MirrorId, SiteId } from "./id.ts";

/** What a Mirror says that it is doing. */
export type MirrorState =
  | "snapshot"
  | "live"
  | "lagging"
  | "diverged"
  | "repairing"
  | "disconnected";

/** What a comparison of a Mirror with its Site has found. */
export interface Reconcile {
  readonly finishTime: Date;
  readonly position: number;
  readonly missingCount: number;
  readonly staleCount: number;
  readonly extraCount: number;
  readonly alteredCount: number;
  readonly repairedCount: number;
}

/** What a Mirror tells of itself; each report replaces the one before it. */
export interface MirrorReport {
  readonly id: MirrorId;
  readonly name: string;
  readonly state: MirrorState;
  readonly epoch: number;
  /** It has applied everything up to here. */
  readonly position: number;
  /** Its own sums at that position. */
  readonly sums: SiteSums | undefined;
  /** What a Checkpoint said the sums at that position are. */
  readonly checkpointSums: SiteSums | undefined;
  readonly lastReconcile: Reconcile | undefined;
  /** How often something else tried to write to its rows, since it was set up. */
  readonly foreignWrites: number;
  readonly software: string;
}

/** A Mirror as it last reported, and what its Site's log says of that now. */
export interface Mirror extends MirrorReport {
  readonly siteId: SiteId;
  /** The key by which it last reported; absent: an operator's. */
  readonly apiKeyId: ApiKeyId | undefined;
  readonly createTime: Date;
  readonly reportTime: Date;
  /** The Site's head when it last reported. */
  readonly reportHead: number;
  /** When `foreignWrites` last rose; absent: it never did. */
  readonly foreignWriteTime: Date | undefined;
  /** Where the Site's log stands now; lag is told in its epoch alone. */
  readonly head: { readonly epoch: number; readonly position: number };
  /** When the first Change that it lacks was made, of those that are kept; absent: of none. */
  readonly firstLackedTime: Date | undefined;
}

/** How far a Mirror is behind. */
export interface MirrorLag {
  readonly changes: number;
  readonly ms: number;
}

const NO_LAG: MirrorLag = { changes: 0, ms: 0 };

/**
 * Tells how far a Mirror is behind the head. One of another epoch has no lag that could be told,
 * since positions of different epochs do not compare: it has expired.
 */
export function lagOf(mirror: Mirror, now: Date): MirrorLag {
  return lagBehind(mirror, mirror.head.position, now);
}

/**
 * Tells how far a Mirror was behind when it last reported. What was committed since then it may
 * have applied without having told.
 */
export function lagAtReport(mirror: Mirror): MirrorLag {
  return lagBehind(mirror, mirror.reportHead, mirror.reportTime);
}

/** Tells how many Users a Mirror had too many or, below 0, too few. */
export function driftOf({ sums, checkpointSums }: MirrorReport): number {
  return sums && checkpointSums ? sums.users - checkpointSums.users : 0;
}

function lagBehind(mirror: Mirror, head: number, now: Date): MirrorLag {
  const { epoch, position, firstLackedTime = now } = mirror;
  if (epoch !== mirror.head.epoch || position >= head) return NO_LAG;
  // At least 1 ms: 0 would say that it lacks nothing.
  return { changes: head - position, ms: Math.max(1, now.getTime() - firstLackedTime.getTime()) };
}
