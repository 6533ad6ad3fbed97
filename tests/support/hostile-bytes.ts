import type { Dice } from "./hostile-dice.ts";

/** Damages a message as it is on the wire; half of all are left whole. */
export function damagedBytes(dice: Dice, whole: Uint8Array): Uint8Array {
  const bytes = Buffer.from(whole);
  return dice.chance(0.5) ? bytes : dice.pick(DAMAGES)(dice, bytes);
}

/** Longer messages are refused for their length alone, which is tried by a few inputs only. */
const BYTES_MAX = 60_000;

type Damage = (dice: Dice, bytes: Buffer) => Buffer;

const DAMAGES: readonly Damage[] = [
  cutShort,
  withBitsFlipped,
  withNoise,
  withFieldsRepeated,
  withWrongWireType,
  withHugeLength,
  withDeepNesting,
  withInvalidUtf8,
  withUnknownFields,
  withEndlessVarint,
  withGroups,
  (dice) => dice.bytes(dice.below(200)),
  () => Buffer.alloc(BYTES_MAX, 0x0a),
  () => Buffer.alloc(70_000, 0x0a),
];

function cutShort(dice: Dice, bytes: Buffer): Buffer {
  return bytes.subarray(0, dice.below(bytes.length + 1));
}

function withBitsFlipped(dice: Dice, bytes: Buffer): Buffer {
  for (let n = dice.below(8) + 1; n > 0 && bytes.length > 0; n -= 1) {
    const at = dice.below(bytes.length);
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << dice.below(8)), at);
  }
  return bytes;
}

function withNoise(dice: Dice, bytes: Buffer): Buffer {
  const at = dice.below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), dice.bytes(dice.below(9)), bytes.subarray(at)]);
}

/** The last one counts, and messages are merged: RFC-like rules that each reader has to keep. */
function withFieldsRepeated(dice: Dice, bytes: Buffer): Buffer {
  const times = Math.min(dice.pick([2, 3, 50, 5_000]), Math.floor(BYTES_MAX / (bytes.length + 1)));
  return Buffer.concat(Array<Buffer>(Math.max(times, 2)).fill(bytes));
}

function withWrongWireType(dice: Dice, bytes: Buffer): Buffer {
  if (bytes.length === 0) return Buffer.from([0x0d, 0, 0, 0, 0]);
  const tag = bytes.readUInt8(0);
  bytes.writeUInt8((tag & ~7) | dice.below(8), 0);
  return bytes;
}

function withHugeLength(dice: Dice, bytes: Buffer): Buffer {
  const field = dice.below(15) + 1;
  const length = dice.pick([
    [0xff, 0xff, 0xff, 0xff, 0x0f],
    [0xff, 0xff, 0xff, 0xff, 0x07],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    [0x80, 0x80, 0x80, 0x80, 0x08],
    [0xff, 0x7f],
  ]);
  return Buffer.concat([bytes, Buffer.from([(field << 3) | 2, ...length]), dice.bytes(5)]);
}

function withDeepNesting(dice: Dice, bytes: Buffer): Buffer {
  const field = dice.below(15) + 1;
  let inner = bytes.subarray(0, 20);
  for (let depth = dice.pick([20, 100, 200, 5_000]); depth > 0; depth -= 1) {
    if (inner.length >= 16_000) break;
    inner = Buffer.concat([Buffer.from([(field << 3) | 2]), varint(inner.length), inner]);
  }
  return inner;
}

function withInvalidUtf8(dice: Dice, bytes: Buffer): Buffer {
  const field = dice.below(15) + 1;
  const text = dice.pick([
    [0xff],
    [0xc0, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xe2, 0x82],
    [0x80, 0x80],
  ]);
  return Buffer.concat([bytes, Buffer.from([(field << 3) | 2, text.length, ...text])]);
}

function withUnknownFields(dice: Dice, bytes: Buffer): Buffer {
  const tag = varint((dice.pick([16, 1_000, 18_999, 19_000, 2 ** 29 - 1]) << 3) >>> 0);
  const one = Buffer.concat([tag, varint(dice.below(2 ** 31))]);
  return Buffer.concat([bytes, ...Array<Buffer>(dice.pick([1, 10, 3_000])).fill(one)]);
}

function withEndlessVarint(dice: Dice, bytes: Buffer): Buffer {
  return Buffer.concat([
    bytes,
    Buffer.from([0x08]),
    Buffer.alloc(dice.pick([9, 10, 11, 500]), 0xff),
  ]);
}

/** Groups are of an older syntax, and nest without a length. */
function withGroups(dice: Dice, bytes: Buffer): Buffer {
  const depth = dice.pick([1, 99, 101, 20_000]);
  const ends = Buffer.alloc(dice.chance(0.5) ? depth : 0, 0x0c);
  return Buffer.concat([bytes, Buffer.alloc(depth, 0x0b), ends]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}
