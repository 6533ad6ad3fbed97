import { describe, expect, test } from "vitest";
import type { UserChange, UserChangeKind } from "../../../src/model/change.ts";
import { newId, type SiteId, type UserId } from "../../../src/model/id.ts";
import { coalesce } from "../../../src/rpc/watch-coalesce.ts";

const SITE = newId<SiteId>();
const [ADA, BOB] = [newId<UserId>(), newId<UserId>()];

describe("the changes of one User", () => {
  test("become the last one, which tells the kinds of all", () => {
    const changes = [
      change(1, ADA, "user_created"),
      change(2, ADA, "user_email_verified", ["user_updated"]),
      change(3, ADA, "user_updated"),
    ];

    expect(summary(coalesce(changes))).toEqual([
      [3, "user_updated", ["user_created", "user_email_verified"]],
    ]);
  });

  test("keep the order of their positions among those of others", () => {
    const changes = [
      change(1, ADA, "user_created"),
      change(2, BOB, "user_created"),
      change(3, ADA, "user_updated"),
      change(4, BOB, "user_updated"),
      change(5, BOB, "user_updated"),
    ];

    expect(summary(coalesce(changes))).toEqual([
      [3, "user_updated", ["user_created"]],
      [5, "user_updated", ["user_created"]],
    ]);
  });

  test("stay apart where some came in bulk, and others did not", () => {
    const changes = [
      change(1, ADA, "user_created", [], true),
      change(2, ADA, "user_updated", [], true),
      change(3, ADA, "user_updated"),
      change(4, ADA, "user_disabled"),
    ];

    expect(summary(coalesce(changes))).toEqual([
      [2, "user_updated", ["user_created"]],
      [4, "user_disabled", ["user_updated"]],
    ]);
  });

  test("never tell the last one's own kind twice", () => {
    const changes = [
      change(1, ADA, "user_updated", ["user_roles_changed"]),
      change(2, ADA, "user_roles_changed", ["user_updated"]),
    ];

    expect(summary(coalesce(changes))).toEqual([[2, "user_roles_changed", ["user_updated"]]]);
  });
});

test("what has nothing to merge is left as it is", () => {
  const changes = [change(1, ADA, "user_created"), change(2, BOB, "user_created")];

  expect(coalesce(changes)).toBe(changes);
});

function change(
  position: number,
  userId: UserId,
  kind: UserChangeKind,
  furtherKinds: readonly UserChangeKind[] = [],
  bulk = false,
): UserChange {
  const version = position;
  const commitTime = new Date(0);
  const [body, sums] = [undefined, undefined];
  return {
    position,
    siteId: SITE,
    kind,
    furtherKinds,
    userId,
    version,
    body,
    bulk,
    commitTime,
    sums,
  };
}

function summary(changes: readonly UserChange[]) {
  return changes.map(({ position, kind, furtherKinds }) => [position, kind, furtherKinds]);
}
