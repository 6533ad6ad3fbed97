import { createHash } from "node:crypto";

/** Remembers which names have come by, in little memory: by fingerprints of 52 bits. */
export interface NameMemory {
  has(name: string): boolean;
  /** Remembers a name, as long as there is room. */
  add(name: string): void;
}

const SLOTS_MIN = 1_024;
/** 64 MiB, and so room for 6,000,000 names: about 2,000,000 Users. */
const SLOTS_MAX = 8 * 1_024 * 1_024;
const LOAD_MAX = 0.75;

/** Creates the memory; it grows with what it holds, up to so many slots of 8 bytes. */
export function createNameMemory(slotsMax: number = SLOTS_MAX): NameMemory {
  let slots = new Float64Array(SLOTS_MIN);
  let count = 0;

  /** An empty slot holds 0, which no fingerprint is. */
  function slotOf(table: Float64Array, fingerprint: number): number {
    let slot = fingerprint % table.length;
    while (table[slot] !== 0 && table[slot] !== fingerprint) slot = (slot + 1) % table.length;
    return slot;
  }

  function grow(): void {
    const larger = new Float64Array(slots.length * 2);
    for (const fingerprint of slots) {
      if (fingerprint !== 0) larger[slotOf(larger, fingerprint)] = fingerprint;
    }
    slots = larger;
  }

  return {
    has: (name) => {
      const fingerprint = fingerprintOf(name);
      return slots[slotOf(slots, fingerprint)] === fingerprint;
    },
    add(name) {
      if (count >= slots.length * LOAD_MAX && slots.length < slotsMax) grow();
      if (count >= slots.length * LOAD_MAX) return;
      const fingerprint = fingerprintOf(name);
      const slot = slotOf(slots, fingerprint);
      if (slots[slot] === 0) count += 1;
      slots[slot] = fingerprint;
    },
  };
}

function fingerprintOf(name: string): number {
  const digest = createHash("sha256").update(name).digest();
  return digest.readUIntBE(0, 6) * 16 + (digest.readUInt8(6) & 0x0f) + 1;
}
