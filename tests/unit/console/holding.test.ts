import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { MirrorSchema, MirrorState } from "../../../gen/signet/v1/change_pb.ts";
import { UserSchema } from "../../../gen/signet/v1/user_pb.ts";
import { holdingOf } from "../../../src/console/users/holding.ts";

const AS_OF_MS = 100_000;

const { LIVE, LAGGING, DISCONNECTED, SNAPSHOT, DIVERGED, REPAIRING } = MirrorState;

test.each([
  ["is current where the Mirror lacks nothing", LIVE, 0, 99_999, "current"],
  ["is current where the Mirror lacks only what came later", LAGGING, 5_000, 94_999, "current"],
  ["is an earlier one where the change may be lacking", LAGGING, 5_000, 95_000, "earlier"],
  ["is known of a Mirror that has gone away", DISCONNECTED, 5_000, 10_000, "current"],
  ["is uncertain while the Mirror is being filled", SNAPSHOT, 0, 10_000, "uncertain"],
  ["is uncertain of a Mirror that has diverged", DIVERGED, 0, 10_000, "uncertain"],
  ["is uncertain while rows are being repaired", REPAIRING, 0, 10_000, "uncertain"],
] as const)("what a Mirror holds of a User %s", (_rule, state, lagMs, updateMs, holding) => {
  const mirror = create(MirrorSchema, {
    state,
    lagMs: BigInt(lagMs),
    lagChanges: lagMs === 0 ? 0n : 3n,
  });
  const user = create(UserSchema, { updateTime: timestampFromMs(updateMs) });

  expect(holdingOf(mirror, user, AS_OF_MS)).toBe(holding);
});

test("without a time of the server, only a Mirror that lacks nothing is sure to be current", () => {
  const user = create(UserSchema, { updateTime: timestampFromMs(1) });
  const behind = create(MirrorSchema, { state: LAGGING, lagMs: 5n, lagChanges: 1n });

  expect(holdingOf(behind, user, undefined)).toBe("uncertain");
  expect(holdingOf(create(MirrorSchema, { state: LIVE }), user, undefined)).toBe("current");
});
