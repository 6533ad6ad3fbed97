import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { SumsSchema } from "../../../gen/signet/v1/change_pb.ts";
import { UserSchema, UserState } from "../../../gen/signet/v1/user_pb.ts";
import { createCheckpointCheck } from "../../../src/client/checkpoint-check.ts";
import type { CheckpointItem } from "../../../src/client/index.ts";
import { type LeafRow, NEW_MIRROR } from "../../../src/client/mirror-storage.ts";
import { leafOf, sumsOfUser } from "../../../src/client/mirror-sums.ts";
import { confirmedBy, differencesOf } from "../../../src/client/row-difference.ts";
import { sumsOf } from "../../conformance/site-digests.ts";

const ID = "0190a000-0000-7000-8000-000000000001";

describe("a checkpoint", () => {
  test("is equal where its sums are those of the rows", () => {
    const check = createCheckpointCheck();

    expect(check(checkpoint(5n, 3n), live({ position: 5n, count: 3n }))).toBe("equal");
  });

  test("says that a mirror has diverged only if nothing was merged since the one before", () => {
    const check = createCheckpointCheck();
    const verdicts = [
      check(checkpoint(5n, 4n), live({ position: 5n, count: 3n })),
      check(checkpoint(6n, 4n), live({ position: 6n, count: 3n })),
      check(checkpoint(7n, 4n), live({ position: 7n, count: 3n, merges: 1n })),
      check(checkpoint(8n, 3n), live({ position: 8n, count: 3n, merges: 1n })),
      check(checkpoint(9n, 4n), live({ position: 9n, count: 3n, merges: 1n })),
    ];

    expect(verdicts).toEqual(["unclear", "diverged", "unclear", "equal", "diverged"]);
  });

  test("that comes twice says nothing the second time", () => {
    const check = createCheckpointCheck();
    const twice = { ...checkpoint(5n, 4n), serverTime: timestampFromMs(1_000) };
    const state = live({ position: 5n, count: 3n, merges: 1n });

    expect([check(twice, state), check(twice, state)]).toEqual(["unclear", undefined]);
  });

  test.each([
    ["has no sums", checkpoint(5n, undefined), live({ position: 5n })],
    ["lies behind the mirror", checkpoint(4n, 9n), live({ position: 5n })],
    [
      "lies before the place where the mirror is exact",
      checkpoint(5n, 9n),
      live({ position: 5n, exactPosition: 6n }),
    ],
    ["comes while the mirror is compared", checkpoint(5n, 9n), live({ phase: "compare" })],
  ])("that %s is not compared", (_, item, state) => {
    expect(createCheckpointCheck()(item, state)).toBeUndefined();
  });
});

describe("the sums of a User", () => {
  test("are those of the contract", () => {
    const user = create(UserSchema, { id: ID, version: 7n, state: UserState.ACTIVE });

    const { count, xor } = sumsOf([user]);

    expect(sumsOfUser(ID, 7n)).toEqual({ count, xor });
  });
});

describe("rows that differ", () => {
  const row = (version: bigint, more: Partial<LeafRow> = {}): LeafRow => ({
    id: ID,
    epoch: 2,
    version,
    leaf: leafOf(ID),
    deleted: false,
    ...more,
  });

  test.each([
    ["missing", [], 3n],
    ["missing", [row(3n, { deleted: true })], 3n],
    ["stale", [row(2n)], 3n],
    ["stale", [row(9n, { epoch: 1 })], 3n],
    ["altered", [row(9n)], 3n],
    ["extra", [row(3n)], undefined],
    [undefined, [row(3n)], 3n],
    [undefined, [row(3n, { epoch: 1 })], 3n],
    [undefined, [row(3n, { deleted: true })], undefined],
  ] as const)("are %s", (kind, rows, version) => {
    const versions = new Map(version === undefined ? [] : [[ID, version] as const]);

    expect(differencesOf(rows, versions, 2).get(ID)?.kind).toBe(kind);
  });

  test("count once a second look shows the same row, still different", () => {
    const look = (own: bigint, theirs: bigint) =>
      differencesOf([row(own)], new Map([[ID, theirs]]), 2);

    expect(confirmedBy(look(2n, 3n), look(2n, 3n))).toHaveLength(1);
    expect(confirmedBy(look(2n, 4n), look(2n, 3n))).toHaveLength(1);
    expect(confirmedBy(look(3n, 4n), look(2n, 3n))).toHaveLength(0);
    expect(confirmedBy(look(3n, 3n), look(2n, 3n))).toHaveLength(0);
    expect(confirmedBy(look(3n, 2n), look(2n, 3n))).toHaveLength(0);
  });
});

function checkpoint(position: bigint, count: bigint | undefined): CheckpointItem {
  const sums = count === undefined ? undefined : create(SumsSchema, { count, xor: 0n });
  return { type: "checkpoint", position, head: position, sums, serverTime: undefined, cursor: "c" };
}

function live(given: Partial<typeof NEW_MIRROR> & { readonly count?: bigint }) {
  const { count = 3n, ...state } = given;
  const tail = { phase: "tail", position: 5n, sums: { count, xor: 0n } } as const;
  return { ...NEW_MIRROR, ...tail, ...state };
}
