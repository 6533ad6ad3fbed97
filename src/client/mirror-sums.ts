import { createHash } from "node:crypto";
import type { Sums } from "../../gen/signet/v1/change_pb.ts";

/** A fingerprint of Users as `Sums` of the contract, or by how much one has moved. */
export interface MirrorSums {
  /** How many Users there are, tombstones left out. */
  readonly count: bigint;
  /** Their digests, combined by exclusive or: a number of 64 bits without a sign. */
  readonly xor: bigint;
}

/** The sums of nobody. */
export const NO_SUMS: MirrorSums = { count: 0n, xor: 0n };

/** Combines the sums of Users with those of others, or with a movement of their own. */
export function addSums(a: MirrorSums, b: MirrorSums): MirrorSums {
  return { count: a.count + b.count, xor: a.xor ^ b.xor };
}

/** The movement that leads from one to the other. */
export function movementOf(from: MirrorSums, to: MirrorSums): MirrorSums {
  return { count: to.count - from.count, xor: to.xor ^ from.xor };
}

/** Whether both stand for the same Users in the same versions. */
export function isSameSums(a: MirrorSums, b: MirrorSums): boolean {
  return a.count === b.count && a.xor === b.xor;
}

/** Reads the sums of a frame. */
export function readSums(sums: Sums | undefined): MirrorSums | undefined {
  return sums && { count: sums.count, xor: sums.xor };
}

/** The sums of one User in one version; see `Sums` of the contract. */
export function sumsOfUser(id: string, version: bigint): MirrorSums {
  const bytes = Buffer.alloc(24);
  bytes.write(id.replaceAll("-", ""), "hex");
  bytes.writeBigUInt64BE(version, 16);
  return { count: 1n, xor: createHash("sha256").update(bytes).digest().readBigUInt64BE() };
}

/** The leaf, 0 to 65,535, among whose rows a User is compared. */
export function leafOf(id: string): number {
  const bytes = Buffer.from(id.replaceAll("-", ""), "hex");
  return createHash("sha256").update(bytes).digest().readUInt16BE();
}

/** PostgreSQL has numbers of 64 bits with a sign alone. */
export function toSigned(xor: bigint): string {
  return BigInt.asIntN(64, xor).toString();
}

/** Reads sums from PostgreSQL, where nobody is null. */
export function sumsFrom(count: unknown, xor: unknown): MirrorSums {
  const number = (value: unknown) => BigInt(String(value ?? 0));
  return { count: number(count), xor: BigInt.asUintN(64, number(xor)) };
}
