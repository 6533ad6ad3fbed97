import { hash } from "node:crypto";
import { idToBytes, type UserId } from "../../src/model/id.ts";

/** What a follower holds of a User. */
export interface Held {
  readonly version: number;
  readonly deleted: boolean;
}

/** Count and xor of digests, over Users that are no tombstones. */
export interface OwnSums {
  readonly count: bigint;
  readonly xor: bigint;
}

/** The sums of a mirror, kept by the words of the contract as its rows change. */
export interface SiteSums {
  /** Takes a row out of the sums, and the one in its place in. */
  replace(userId: string, before: Held | undefined, after: Held): void;
  read(): OwnSums;
}

/** Creates the sums of an empty mirror. */
export function createSiteSums(): SiteSums {
  let [count, xor] = [0n, 0n];

  function move(userId: string, row: Held | undefined, by: bigint): void {
    if (!row || row.deleted) return;
    count += by;
    xor ^= digestOf(userId, row.version);
  }

  return {
    replace(userId, before, after) {
      move(userId, before, -1n);
      move(userId, after, 1n);
    },
    read: () => ({ count, xor }),
  };
}

/** Adds up the sums of rows. */
export function sumsOfRows(rows: ReadonlyMap<string, Held>): OwnSums {
  const sums = createSiteSums();
  for (const [userId, row] of rows) sums.replace(userId, undefined, row);
  return sums.read();
}

/** The first eight bytes of SHA-256 over id and version, as change.proto says. */
function digestOf(userId: string, version: number): bigint {
  const bytes = Buffer.alloc(24);
  bytes.set(idToBytes(userId as UserId));
  bytes.writeBigUInt64BE(BigInt(version), 16);
  return hash("sha256", bytes, "buffer").readBigUInt64BE();
}
