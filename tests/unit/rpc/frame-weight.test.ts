import { toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { UserSchema } from "../../../gen/signet/v1/user_pb.ts";
import { newId, type SiteId, type UserId } from "../../../src/model/id.ts";
import { LIMITS } from "../../../src/model/limits.ts";
import { newUser, type User } from "../../../src/model/user.ts";
import { toUserMessage } from "../../../src/rpc/convert-user.ts";
import { fitChanges, fitUsers } from "../../../src/rpc/frame-weight.ts";

describe("a frame", () => {
  test("takes a whole page of ordinary Users", () => {
    const users = Array.from({ length: 500 }, () => userWith({ note: "short" }));

    expect(fitUsers(users)).toHaveLength(500);
  });

  test.each([
    ["numbers", { list: Array.from({ length: 4_000 }, () => 0) }],
    ["lists in lists", { list: Array.from({ length: 2_700 }, () => []) }],
    ["text", { text: "ü".repeat(4_000) }],
  ])("never weighs more than it may with metadata of %s", (_, metadata) => {
    const users = fitUsers(Array.from({ length: 500 }, () => userWith(metadata)));
    const bytes = users.reduce(
      (sum, user) => sum + toBinary(UserSchema, toUserMessage(user)).length,
      0,
    );

    expect(users.length).toBeGreaterThan(1);
    expect(bytes).toBeLessThanOrEqual(LIMITS.frameBytesMax);
  });

  test("takes one change however large it is", () => {
    const body = new Uint8Array(LIMITS.frameBytesMax + 1);
    const change = { body } as unknown as Parameters<typeof fitChanges>[0][number];

    expect(fitChanges([change, change])).toHaveLength(1);
  });
});

function userWith(metadata: NonNullable<User["metadata"]>): User {
  const [id, siteId] = [newId<UserId>(), newId<SiteId>()];
  return newUser({ id, siteId, version: 1, createTime: new Date(), displayName: "Ada", metadata });
}
