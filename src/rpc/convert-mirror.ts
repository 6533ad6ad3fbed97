import { type Timestamp, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Reconcile as ReconcileMessage,
  MirrorState as StateMessage,
  type Sums as SumsMessage,
} from "../../gen/signet/v1/change_pb.ts";
import type { ReportMirrorRequest } from "../../gen/signet/v1/sync_service_pb.ts";
import type { SiteSums } from "../model/change.ts";
import { invalidField } from "../model/failure.ts";
import { type MirrorId, parseId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import {
  driftOf,
  lagOf,
  type Mirror,
  type MirrorReport,
  type MirrorState,
  type Reconcile,
} from "../model/mirror.ts";
import { parseText } from "../model/text.ts";

const STATE: Readonly<Record<MirrorState, StateMessage>> = {
  snapshot: StateMessage.SNAPSHOT,
  live: StateMessage.LIVE,
  lagging: StateMessage.LAGGING,
  diverged: StateMessage.DIVERGED,
  repairing: StateMessage.REPAIRING,
  disconnected: StateMessage.DISCONNECTED,
};

/** Reads what a Mirror tells of itself. @throws {Failure} `invalid_field` */
export function parseMirrorReport(request: ReportMirrorRequest): MirrorReport {
  const { sums, checkpointSums, lastReconcile } = request;
  const name = { max: LIMITS.nameLengthMax, required: true };
  return {
    id: parseId<MirrorId>(request.id, "id"),
    name: parseText(request.name, "name", name),
    state: parseState(request.state),
    epoch: parseCount(BigInt(request.epoch), "epoch"),
    position: parseCount(request.position, "position"),
    sums: sums && parseSums(sums, "sums"),
    checkpointSums: checkpointSums && parseSums(checkpointSums, "checkpoint_sums"),
    lastReconcile: lastReconcile && parseReconcile(lastReconcile),
    foreignWrites: parseCount(request.foreignWrites, "foreign_writes"),
    software: parseText(request.software, "software", { max: LIMITS.nameLengthMax }),
  };
}

/** Translates a Mirror, with its lag as of `now`. */
export function toMirrorMessage(mirror: Mirror, now: Date) {
  const lag = lagOf(mirror, now);
  return {
    id: mirror.id,
    siteId: mirror.siteId,
    name: mirror.name,
    state: STATE[mirror.state],
    epoch: mirror.epoch,
    position: BigInt(mirror.position),
    lagChanges: BigInt(lag.changes),
    lagMs: BigInt(lag.ms),
    drift: BigInt(driftOf(mirror)),
    ...(mirror.sums && { sums: toSumsMessage(mirror.sums) }),
    ...(mirror.lastReconcile && { lastReconcile: toReconcileMessage(mirror.lastReconcile) }),
    foreignWrites: BigInt(mirror.foreignWrites),
    software: mirror.software,
    apiKeyId: mirror.apiKeyId ?? "",
    createTime: timestampFromDate(mirror.createTime),
    reportTime: timestampFromDate(mirror.reportTime),
  };
}

/** Translates sums. */
export function toSumsMessage({ users, xor }: SiteSums) {
  return { count: BigInt(users), xor };
}

function toReconcileMessage(reconcile: Reconcile) {
  return {
    finishTime: timestampFromDate(reconcile.finishTime),
    position: BigInt(reconcile.position),
    missingCount: BigInt(reconcile.missingCount),
    staleCount: BigInt(reconcile.staleCount),
    extraCount: BigInt(reconcile.extraCount),
    alteredCount: BigInt(reconcile.alteredCount),
    repairedCount: BigInt(reconcile.repairedCount),
  };
}

function parseState(message: StateMessage): MirrorState {
  if (message === StateMessage.UNSPECIFIED) throw invalidField("state", "is required");
  for (const state of Object.keys(STATE) as MirrorState[]) {
    if (STATE[state] === message) return state;
  }
  throw invalidField("state", "is unknown");
}

function parseSums({ count, xor }: SumsMessage, field: string): SiteSums {
  return { users: parseCount(count, `${field}.count`), xor };
}

function parseReconcile(message: ReconcileMessage): Reconcile {
  const parse = (value: bigint, name: string) => parseCount(value, `last_reconcile.${name}`);
  return {
    finishTime: parseTime(message.finishTime, "last_reconcile.finish_time"),
    position: parse(message.position, "position"),
    missingCount: parse(message.missingCount, "missing_count"),
    staleCount: parse(message.staleCount, "stale_count"),
    extraCount: parse(message.extraCount, "extra_count"),
    alteredCount: parse(message.alteredCount, "altered_count"),
    repairedCount: parse(message.repairedCount, "repaired_count"),
  };
}

function parseCount(value: bigint, field: string): number {
  if (value < 0n) throw invalidField(field, "must not be negative");
  if (value > Number.MAX_SAFE_INTEGER) throw invalidField(field, "is too large");
  return Number(value);
}

/** A timestamp on the wire may be none of any calendar: its number is then NaN. */
function parseTime(time: Timestamp | undefined, field: string): Date {
  if (!time) throw invalidField(field, "is required");
  const date = timestampDate(time);
  if (date.getTime() >= 0) return date;
  throw invalidField(field, "must be a time after 1970");
}
