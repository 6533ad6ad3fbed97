import { snapshotPage, wantedUsers } from "../domain/sync.ts";
import type { UserId } from "../model/id.ts";
import { LIMITS } from "../model/limits.ts";
import type { User } from "../model/user.ts";
import { fitUsers } from "./frame-weight.ts";
import { send, type UserStream, unlessEnded, untilWritable } from "./user-stream.ts";
import type { WatchDeps } from "./watch-deps.ts";
import { toFrame, toSnapshotEnd, toSnapshotPage } from "./watch-frames.ts";

/**
 * Sends what is left of the snapshot, each page read in a transaction of its own, and its end.
 * Then the stream is where the changes begin. Nothing is held while the client reads.
 */
export async function sendSnapshot(shared: WatchDeps, stream: UserStream): Promise<void> {
  const { group } = stream;
  const read = (after: UserId | undefined) => {
    const reading = readPage(shared, { group, after }, LIMITS.frameChangesMax);
    reading.catch(() => undefined); // Nobody waits for it once the stream has ended.
    return reading;
  };
  for (let reading = read(stream.after), isLast = false; !isLast; ) {
    await untilWritable(stream);
    const page = await unlessEnded(stream, reading);
    await untilWritable(stream); // A checkpoint may have come between.
    if (!page || stream.ending) return;
    isLast = page.isLast;
    const last = page.users.at(-1);
    if (!last) continue;
    if (!isLast) reading = read(last.id); // While this page is encoded and sent.
    stream.after = last.id;
    const cursor = stream.group.snapshotCursor(stream.position, last.id);
    const value = toSnapshotPage(page.users, stream.group.scope, cursor);
    send(stream, toFrame({ case: "snapshotPage", value }));
  }
  await sendEnd(shared, stream);
}

/** Users that follow each other, as many as fit into a frame. */
export interface UserPage {
  readonly users: readonly User[];
  readonly isLast: boolean;
}

/** Reads the next page of a snapshot, once it is this one's turn. */
export async function readPage(
  { deps, reads }: Pick<WatchDeps, "deps" | "reads">,
  { group, after }: Pick<UserStream, "group" | "after">,
  limit: number,
): Promise<UserPage> {
  const { siteId, scope } = group;
  const { userIds } = scope;
  const page = { after, limit };
  const found = await reads.run(() =>
    userIds ? wantedUsers(deps, siteId, userIds, page) : snapshotPage(deps, siteId, page),
  );
  const users = fitUsers(found);
  return { users, isLast: found.length < limit && users.length === found.length };
}

async function sendEnd({ heads }: WatchDeps, stream: UserStream): Promise<void> {
  const { group, watch, position } = stream;
  const head = await unlessEnded(stream, heads.read(watch.siteId));
  await untilWritable(stream);
  if (!head || stream.ending) return;
  group.noteHead(head.position);
  stream.phase = "catching_up";
  if (head.position === position) stream.sums = head.sums;
  const value = toSnapshotEnd(head.position, position, group.tailCursor(position));
  send(stream, toFrame({ case: "snapshotEnd", value }));
}
