import { createHash } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { SumsSchema } from "../../gen/signet/v1/change_pb.ts";
import type {
  CompareDigestsRequest,
  CompareDigestsResponseSchema,
} from "../../gen/signet/v1/sync_service_pb.ts";
import { type User, UserState } from "../../gen/signet/v1/user_pb.ts";

interface Digested {
  readonly id: string;
  readonly version: bigint;
  readonly leaf: number;
  readonly digest: bigint;
}

/** The sums of a Site's Users, by the words of the contract. */
export function sumsOf(users: Iterable<User>) {
  return create(SumsSchema, total(digested(users)));
}

/** Answers CompareDigests, by the words of the contract. */
export function compareDigests(
  users: Iterable<User>,
  { ranges, leaves, pageSize, pageToken }: CompareDigestsRequest,
): MessageInitShape<typeof CompareDigestsResponseSchema> {
  const all = digested(users);
  const table = (parts: readonly Digested[][]) => {
    const sums = parts.map(total);
    return { counts: sums.map(({ count }) => count), xors: sums.map(({ xor }) => xor) };
  };
  const split = (list: readonly Digested[], numberOf: (user: Digested) => number) => {
    const parts = Array.from({ length: 256 }, (): Digested[] => []);
    for (const user of list) parts[numberOf(user)]?.push(user);
    return parts;
  };
  if (leaves.length > 0) {
    const rows = leaves.flatMap((leaf) => all.filter((user) => user.leaf === leaf));
    const start = Number(pageToken || 0);
    const end = start + (pageSize || 3); // Small pages, so that there are several.
    const shown = rows.slice(start, end);
    const leafRows = shown.map(({ leaf, id, version }) => ({
      leaf,
      rows: [{ userId: id, version }],
    }));
    return { sums: total(all), leafRows, nextPageToken: end < rows.length ? String(end) : "" };
  }
  if (ranges.length > 0) {
    const rangeLeaves = ranges.map((range) => {
      const own = all.filter(({ leaf }) => leaf >> 8 === range);
      return { range, leaves: table(split(own, ({ leaf }) => leaf & 255)) };
    });
    return { sums: total(all), rangeLeaves };
  }
  return { sums: total(all), ranges: table(split(all, ({ leaf }) => leaf >> 8)) };
}

function total(users: readonly Digested[]) {
  const xor = users.reduce((sum, { digest }) => sum ^ digest, 0n);
  return { count: BigInt(users.length), xor };
}

function digested(users: Iterable<User>): Digested[] {
  const live = [...users].filter(({ state }) => state !== UserState.DELETED);
  return live.sort((a, b) => (a.id < b.id ? -1 : 1)).map(digestOf);
}

function digestOf({ id, version }: User): Digested {
  const idBytes = Buffer.from(id.replaceAll("-", ""), "hex");
  const versionBytes = Buffer.from(version.toString(16).padStart(16, "0"), "hex");
  const digest = createHash("sha256").update(idBytes).update(versionBytes).digest();
  const leaf = createHash("sha256").update(idBytes).digest().readUInt16BE();
  return { id, version, leaf, digest: digest.readBigUInt64BE() };
}
