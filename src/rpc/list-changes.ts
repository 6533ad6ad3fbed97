import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ListChangesRequest,
  type ListChangesResponse,
  type ListChangesResponseSchema,
  WatchStart,
} from "../../gen/signet/v1/sync_service_pb.ts";
import { siteOf } from "../domain/access.ts";
import type { SiteSums } from "../model/change.ts";
import { invalidField } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";
import { fitChanges } from "./frame-weight.ts";
import { parseWait } from "./poll-wait.ts";
import { createStreamEnd } from "./stream-end.ts";
import type { StreamStart } from "./user-stream.ts";
import { readChanges } from "./watch-catch-up.ts";
import { coalesce } from "./watch-coalesce.ts";
import type { WatchDeps } from "./watch-deps.ts";
import { toChangeBatch, toHello, toSnapshotEnd, toSnapshotPage } from "./watch-frames.ts";
import { makeBatch, type WatchBatch, type WatchGroup } from "./watch-hub.ts";
import { subscriberName, type WatchCall } from "./watch-open.ts";
import { parseWatchScope } from "./watch-scope.ts";
import { readPage } from "./watch-snapshot.ts";
import { startOf } from "./watch-users.ts";

type Answer = Exclude<MessageInitShape<typeof ListChangesResponseSchema>, ListChangesResponse>;

/** One call, read and let in. */
interface Poll {
  readonly call: WatchCall;
  readonly clientName: string;
  readonly group: WatchGroup;
  readonly start: StreamStart;
  readonly limit: number;
  readonly waitMs: number;
}

/** Pages of changes that no filter lets through, before the caller is told how far it is. */
const SILENT_PAGES_MAX = 20;

/**
 * Answers with what a stream of Users would send next; `sync_service.proto` says how.
 *
 * @throws {Failure} of the reasons of ListChanges
 */
export async function listChanges(
  shared: WatchDeps,
  request: ListChangesRequest,
  call: WatchCall,
): Promise<Answer> {
  const siteId = siteOf(call.caller, request.siteId);
  const scope = parseWatchScope(request.filter, call.caller);
  const limit = parsePageSize(request.pageSize);
  const waitMs = parseWait(request.waitSeconds) * 1_000;
  const clientName = subscriberName(call.caller, request.clientId, call.clientAddress);
  await shared.deps.sites.get(siteId);
  const giveBack = waitMs > 0 ? shared.streams.take(siteId, clientName) : () => undefined;
  try {
    const head = await shared.heads.read(siteId);
    const snapshot = request.start !== WatchStart.HEAD;
    const start = startOf(shared, { siteId, scope, cursor: request.cursor, snapshot }, head);
    const group = shared.hub.join(siteId, scope, head.epoch);
    try {
      group.noteHead(head.position);
      const poll = { call, clientName, group, start, limit, waitMs };
      const answer = await (start.phase === "snapshot" ? nextUsers : nextChanges)(shared, poll);
      return { hello: helloOf(shared, poll), ...answer };
    } finally {
      group.leave();
    }
  } finally {
    giveBack();
  }
}

/** Answers with a page of the snapshot, or with its end. */
async function nextUsers(shared: WatchDeps, poll: Poll): Promise<Answer> {
  const { group, start, limit, clientName } = poll;
  const { position, after } = start;
  const giveBack = shared.snapshots.take(group.siteId, clientName);
  try {
    const { users } = await readPage(shared, { group, after }, limit);
    const last = users.at(-1);
    if (last) {
      const cursor = group.snapshotCursor(position, last.id);
      return { snapshotPage: toSnapshotPage(users, group.scope, cursor), cursor, more: true };
    }
    const head = await shared.heads.read(group.siteId);
    group.noteHead(head.position);
    const cursor = group.tailCursor(position);
    const snapshotEnd = toSnapshotEnd(head.position, position, cursor);
    if (head.position > position) return { snapshotEnd, cursor, more: true };
    return { snapshotEnd, ...upToDate(group, position, head.sums) };
  } finally {
    giveBack();
  }
}

/** Answers with the changes that come next, and waits for one where there is none. */
async function nextChanges(shared: WatchDeps, poll: Poll): Promise<Answer> {
  const { call, group, start, waitMs } = poll;
  const { siteId, epoch } = group;
  const end = createStreamEnd(shared.ends, { kind: "poll", ...call, siteId, epoch }, waitMs);
  const untilMs = performance.now() + waitMs;
  let { position } = start;
  let sums = position === start.head.position ? start.head.sums : undefined;
  try {
    for (let pagesRead = 0; ; ) {
      // Nothing may come between a look into the ring and the wait for more: no await here.
      const found = fromRing(shared, poll, position);
      const batch = found === "gone" ? await fromLog(shared, poll, position) : found;
      if (found === "gone") pagesRead += 1;
      if (batch && (batch.frame || pagesRead === SILENT_PAGES_MAX)) {
        return withChanges(group, position, batch);
      }
      if (batch) {
        ({ position, sums } = batch);
      } else if (end.ending || performance.now() >= untilMs) {
        end.throwIfRefused();
        return upToDate(group, position, sums);
      } else {
        const leftMs = untilMs - performance.now();
        await end.wait(leftMs, (wake) => shared.ring.onChange(siteId, wake));
      }
    }
  } finally {
    end.release();
  }
}

/** Looks for what follows a position: undefined if that is all there is. */
function fromRing(
  { ring }: WatchDeps,
  { group, limit }: Poll,
  position: number,
): WatchBatch | "gone" | undefined {
  const found = ring.after(group.siteId, position, limit);
  if (found?.length) return makeBatch(group, position, fitChanges(found));
  return position < group.head() ? "gone" : undefined;
}

async function fromLog(
  shared: WatchDeps,
  { group, limit }: Poll,
  position: number,
): Promise<WatchBatch | undefined> {
  const changes = await readChanges(shared, group, position, limit);
  return changes.length > 0 ? makeBatch(group, position, changes, coalesce(changes)) : undefined;
}

/** Makes an answer of a batch; one that no change of it passes tells how far it reaches. */
function withChanges(group: WatchGroup, previousPosition: number, batch: WatchBatch): Answer {
  const { position, sums } = batch;
  const { frame } = batch.frame?.message ?? {};
  const cursor = group.tailCursor(position);
  const covered = { previousPosition, position, cursor };
  const changeBatch =
    frame?.case === "changeBatch" ? frame.value : toChangeBatch([], group.scope, covered);
  if (position < group.head()) return { changeBatch, cursor, more: true };
  return { changeBatch, ...upToDate(group, position, sums) };
}

/** The end of an answer after which nothing is left to send. */
function upToDate(group: WatchGroup, position: number, sums: SiteSums | undefined): Answer {
  const { frame } = group.checkpoint(position, sums, performance.now()).message;
  if (frame.case !== "checkpoint") throw new Error("a checkpoint is none");
  return { checkpoint: frame.value, cursor: frame.value.cursor };
}

function helloOf({ deps }: WatchDeps, { group, start }: Poll) {
  const { phase, head, position, after } = start;
  const snapshot = phase === "snapshot";
  const cursor = snapshot ? group.snapshotCursor(position, after) : group.tailCursor(position);
  // What was waited for is newer than the head that was found first.
  const now = { ...head, position: Math.max(head.position, group.head()) };
  return toHello(group.siteId, group.scope, now, {
    cursor,
    snapshot,
    heartbeatSeconds: 0,
    ageSecondsMax: 0,
    serverTime: deps.clock.now(),
  });
}

function parsePageSize(pageSize: number): number {
  if (pageSize === 0) return LIMITS.frameChangesMax;
  if (pageSize >= 1 && pageSize <= LIMITS.frameChangesMax) return pageSize;
  throw invalidField("page_size", `must be from 1 to ${LIMITS.frameChangesMax}`);
}
