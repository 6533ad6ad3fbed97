import type { SiteSums } from "./change.ts";
import type { UserId } from "./id.ts";

/** The number of leaves over which the Users of a Site are spread. */
export const LEAVES = 65_536;
/** The number of ranges: the first byte of a leaf makes its range. */
export const RANGES = 256;
/** How many leaves a range has. */
export const RANGE_LEAVES = LEAVES / RANGES;

/** A User of a leaf, as far as digests go. */
export interface LeafRow {
  readonly leaf: number;
  readonly id: UserId;
  readonly version: number;
}

/** Adds up digests of Users by leaf. It takes 768 KiB, whatever the number of Users. */
export interface LeafSums {
  /** Adds Users: of each 4 bytes of leaf and 8 of digest, big-endian. */
  add(packed: Uint8Array): void;
  /** The sums of the leaves from `start` to before `end`. */
  sums(start: number, end: number): SiteSums;
}

const ROW_BYTES = 12;

/** Creates sums of no Users. Digests are kept in halves: bigints would take ten times as long. */
export function createLeafSums(): LeafSums {
  const users = new Uint32Array(LEAVES);
  const high = new Uint32Array(LEAVES);
  const low = new Uint32Array(LEAVES);

  return {
    add(packed) {
      const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
      for (let row = 0; row < packed.byteLength; row += ROW_BYTES) {
        const leaf = view.getUint32(row);
        users[leaf] = (users[leaf] ?? 0) + 1;
        high[leaf] = (high[leaf] ?? 0) ^ view.getUint32(row + 4);
        low[leaf] = (low[leaf] ?? 0) ^ view.getUint32(row + 8);
      }
    },

    sums(start, end) {
      let [count, xorHigh, xorLow] = [0, 0, 0];
      for (let leaf = start; leaf < end; leaf += 1) {
        count += users[leaf] ?? 0;
        xorHigh ^= high[leaf] ?? 0;
        xorLow ^= low[leaf] ?? 0;
      }
      return { users: count, xor: (BigInt(xorHigh >>> 0) << 32n) | BigInt(xorLow >>> 0) };
    },
  };
}
