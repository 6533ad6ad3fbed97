import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createCursorBox } from "../../../src/crypto/cursor-box.ts";
import { createSubkeys } from "../../../src/crypto/subkeys.ts";
import {
  openWatchCursor,
  sealWatchCursor,
  type WatchPlace,
} from "../../../src/domain/watch-cursor.ts";
import { newId, type SiteId, type UserId } from "../../../src/model/id.ts";

const SITE = newId<SiteId>();
const keys = new Map([[1, randomBytes(32)]]);
const deps = { cursors: createCursorBox(createSubkeys({ current: 1, keys })) };
const TAIL: WatchPlace = { phase: "tail", epoch: 2 ** 27, position: 2 ** 50 };

describe("the cursor of a stream of Users", () => {
  test.each<[string, WatchPlace]>([
    ["the tail", TAIL],
    ["the start of a snapshot", { ...snapshotPlace(), after: undefined }],
    ["the middle of a snapshot", snapshotPlace()],
  ])("keeps a place in %s", (_, place) => {
    const cursor = sealWatchCursor(deps, SITE, "scope", place);

    expect(openWatchCursor(deps, SITE, "scope", cursor)).toEqual(place);
  });

  test("is of no use to another Site", () => {
    const cursor = sealWatchCursor(deps, SITE, "scope", TAIL);

    expect(() => openWatchCursor(deps, newId<SiteId>(), "scope", cursor)).toThrow(
      expect.objectContaining({ reason: "invalid_cursor" }),
    );
  });

  test("is of no use under another scope", () => {
    const cursor = sealWatchCursor(deps, SITE, "scope", TAIL);

    expect(() => openWatchCursor(deps, SITE, "other", cursor)).toThrow(
      expect.objectContaining({ reason: "scope_changed" }),
    );
  });

  test("is refused when any of its characters differs", () => {
    const cursor = sealWatchCursor(deps, SITE, "scope", TAIL);

    expect(openWatchCursor(deps, SITE, "scope", cursor)).toEqual(TAIL);
    for (let at = 0; at < cursor.length; at += 1) {
      const other = cursor[at] === "A" ? "Q" : "A";
      const forged = cursor.slice(0, at) + other + cursor.slice(at + 1);
      expect(() => openWatchCursor(deps, SITE, "scope", forged)).toThrow(
        expect.objectContaining({ reason: "invalid_cursor" }),
      );
    }
  });
});

function snapshotPlace() {
  return { phase: "snapshot", epoch: 1, tailPosition: 41, after: newId<UserId>() } as const;
}
