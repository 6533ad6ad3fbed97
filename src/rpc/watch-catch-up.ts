import { changesAfter } from "../domain/sync.ts";
import type { UserChange } from "../model/change.ts";
import { LIMITS } from "../model/limits.ts";
import { fitChanges } from "./frame-weight.ts";
import { send, type UserStream, unlessEnded, untilWritable } from "./user-stream.ts";
import { coalesce } from "./watch-coalesce.ts";
import type { WatchDeps } from "./watch-deps.ts";
import { cursorExpired, makeBatch, type WatchBatch, type WatchGroup } from "./watch-hub.ts";

/**
 * Sends what the log has after the stream's position, until the ring can take over. A later
 * change of a User stands for the earlier ones of its batch.
 *
 * @throws {Failure} `cursor_expired` if what comes next is no longer kept.
 */
export async function catchUp(shared: WatchDeps, stream: UserStream): Promise<void> {
  const { group } = stream;
  stream.phase = "catching_up";
  for (;;) {
    await untilWritable(stream);
    if (stream.ending || reaches(shared, stream)) return;
    const { position } = stream;
    const reading = group.shareRead(position, () => readBatch(shared, group, position));
    const batch = await unlessEnded(stream, reading);
    await untilWritable(stream); // A checkpoint may have come between.
    if (!batch || stream.ending || batch.position === position) return;
    stream.position = batch.position;
    stream.sums = batch.sums;
    if (batch.frame) send(stream, batch.frame);
  }
}

/** Tells whether the ring has what comes next. */
function reaches({ ring }: WatchDeps, { group, position }: UserStream): boolean {
  const next = ring.after(group.siteId, position, 1);
  return next !== undefined && next.length > 0;
}

/** Reads and makes the next batch; one that covers nothing where the log has no more. */
async function readBatch(
  shared: WatchDeps,
  group: WatchGroup,
  position: number,
): Promise<WatchBatch> {
  const changes = await readChanges(shared, group, position, LIMITS.frameChangesMax);
  if (changes.length === 0) return { frame: undefined, position, sums: undefined };
  return makeBatch(group, position, changes, coalesce(changes));
}

/**
 * Reads the changes that follow a position and fit into a frame, once it is this one's turn.
 *
 * @throws {Failure} `cursor_expired` if they are no longer kept.
 */
export async function readChanges(
  { deps, heads, reads }: Pick<WatchDeps, "deps" | "heads" | "reads">,
  { siteId }: Pick<WatchGroup, "siteId">,
  position: number,
  limit: number,
): Promise<readonly UserChange[]> {
  const found = await reads.run(() => changesAfter(deps, siteId, { after: position, limit }));
  const first = found[0]?.position ?? (await heads.read(siteId)).oldestPosition;
  if (first > position + 1) throw cursorExpired(first);
  return fitChanges(found);
}
