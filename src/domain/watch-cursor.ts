import { createHash } from "node:crypto";
import { Failure } from "../model/failure.ts";
import { idFromBytes, idToBytes, type SiteId, type UserId } from "../model/id.ts";
import type { Deps } from "./deps.ts";

/** A place to resume a stream of Users from: amid a snapshot, or after a position. */
export type WatchPlace =
  | {
      readonly phase: "snapshot";
      readonly epoch: number;
      /** Where the tail begins once the snapshot is complete. */
      readonly tailPosition: number;
      /** The last User that was sent; absent: none yet. */
      readonly after: UserId | undefined;
    }
  | { readonly phase: "tail"; readonly epoch: number; readonly position: number };

const SNAPSHOT = 1;
const TAIL = 2;
const HEAD_BYTES = 1 + 8 + 8 + 8; // phase, class, epoch, position
const NO_ID = Buffer.alloc(16);

/**
 * Seals a place into a cursor. It is bound to the Site and to the class of subscribers (filter
 * and projection), never to one subscriber, so that frames can be shared.
 */
export function sealWatchCursor(
  { cursors }: Pick<Deps, "cursors">,
  siteId: SiteId,
  scope: string,
  place: WatchPlace,
): string {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(place.phase === "snapshot" ? SNAPSHOT : TAIL);
  scopeDigest(scope).copy(head, 1);
  head.writeBigUInt64BE(BigInt(place.epoch), 9);
  const position = place.phase === "snapshot" ? place.tailPosition : place.position;
  head.writeBigUInt64BE(BigInt(position), 17);
  const tail = place.phase === "snapshot" ? (place.after ? idToBytes(place.after) : NO_ID) : "";
  return cursors.sealCursor(siteId, "watch", Buffer.concat([head, Buffer.from(tail)]));
}

/**
 * Opens a cursor.
 *
 * @throws {Failure} `invalid_cursor` if it was not made for this Site; `scope_changed` if it was
 *   made under another filter or projection.
 */
export function openWatchCursor(
  { cursors }: Pick<Deps, "cursors">,
  siteId: SiteId,
  scope: string,
  cursor: string,
): WatchPlace {
  const payload = cursors.openCursor(siteId, "watch", cursor);
  if (!payload || payload.length < HEAD_BYTES) throw new Failure("invalid_cursor");
  if (!payload.subarray(1, 9).equals(scopeDigest(scope))) throw new Failure("scope_changed");
  const epoch = Number(payload.readBigUInt64BE(9));
  const position = Number(payload.readBigUInt64BE(17));
  if (payload.readUInt8() === TAIL) return { phase: "tail", epoch, position };
  const id = payload.subarray(HEAD_BYTES);
  const after = id.equals(NO_ID) ? undefined : idFromBytes<UserId>(id);
  return { phase: "snapshot", epoch, tailPosition: position, after };
}

function scopeDigest(scope: string): Buffer {
  return createHash("sha256").update(scope).digest().subarray(0, 8);
}
