import type { RevocationKey } from "../model/change.ts";
import { Failure } from "../model/failure.ts";
import { idFromBytes, idToBytes, type SessionId, type SiteId } from "../model/id.ts";
import type { Deps } from "./deps.ts";
import type { LogPlace } from "./revocation-log.ts";

/** A place to go on from: within the whole set of revocations, or after a place in the log. */
export type RevocationPlace =
  | (LogPlace & {
      readonly phase: "set";
      /** The last revocation that was sent; absent: none yet. The log follows from its place. */
      readonly after: RevocationKey | undefined;
    })
  | (LogPlace & { readonly phase: "tail" });

const PURPOSE = "revocations";
const SET = 1;
const TAIL = 2;
const HEAD_BYTES = 1 + 8 + 8; // phase, epoch, place in the log
const ID_BYTES = 16;

/** Seals a place into a cursor, bound to the Site. */
export function sealRevocationCursor(
  { cursors }: Pick<Deps, "cursors">,
  siteId: SiteId,
  place: RevocationPlace,
): string {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(place.phase === "set" ? SET : TAIL);
  head.writeBigUInt64BE(BigInt(place.epoch), 1);
  head.writeBigUInt64BE(BigInt(place.pos), 9);
  const after = place.phase === "set" ? place.after : undefined;
  const key = after ? [idToBytes(after.subjectId), Buffer.from(after.kind)] : [];
  return cursors.sealCursor(siteId, PURPOSE, Buffer.concat([head, ...key]));
}

/** Opens a cursor. @throws {Failure} `invalid_cursor` if it was not made for this Site. */
export function openRevocationCursor(
  { cursors }: Pick<Deps, "cursors">,
  siteId: SiteId,
  cursor: string,
): RevocationPlace {
  const payload = cursors.openCursor(siteId, PURPOSE, cursor);
  if (!payload || payload.length < HEAD_BYTES) throw new Failure("invalid_cursor");
  const epoch = Number(payload.readBigUInt64BE(1));
  const pos = Number(payload.readBigUInt64BE(9));
  if (payload.readUInt8() === TAIL) return { phase: "tail", epoch, pos };
  return { phase: "set", epoch, pos, after: readKey(payload.subarray(HEAD_BYTES)) };
}

function readKey(bytes: Buffer): RevocationKey | undefined {
  if (bytes.length <= ID_BYTES) return undefined;
  return {
    kind: bytes.toString("utf8", ID_BYTES) as "session_ended", // Sealed by this service alone.
    subjectId: idFromBytes<SessionId>(bytes.subarray(0, ID_BYTES)),
  };
}
