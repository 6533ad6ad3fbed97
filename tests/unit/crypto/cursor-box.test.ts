import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createCursorBox } from "../../../src/crypto/cursor-box.ts";
import { createSubkeys } from "../../../src/crypto/subkeys.ts";
import { newId, type SiteId } from "../../../src/model/id.ts";

const [first, second] = [randomBytes(32), randomBytes(32)];
const box = createCursorBox(createSubkeys({ current: 1, keys: new Map([[1, first]]) }));
const siteId = newId<SiteId>();

describe("cursor box", () => {
  test("opens what it sealed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (payload) => {
        const cursor = box.sealCursor(siteId, "watch_users", payload);

        expect(cursor).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(box.openCursor(siteId, "watch_users", cursor)).toEqual(Buffer.from(payload));
      }),
    );
  });

  test("opens for no other Site, purpose or master key", () => {
    const cursor = box.sealCursor(siteId, "watch_users", randomBytes(16));
    const stranger = createCursorBox(createSubkeys({ current: 1, keys: new Map([[1, second]]) }));

    expect(box.openCursor(newId<SiteId>(), "watch_users", cursor)).toBeUndefined();
    expect(box.openCursor(siteId, "list_users", cursor)).toBeUndefined();
    expect(stranger.openCursor(siteId, "watch_users", cursor)).toBeUndefined();
  });

  test("outlives a change of the master key", () => {
    const cursor = box.sealCursor(siteId, "watch_users", Buffer.from("place"));
    const keys = new Map([
      [1, first],
      [2, second],
    ]);
    const rotated = createCursorBox(createSubkeys({ current: 2, keys }));

    expect(rotated.openCursor(siteId, "watch_users", cursor)).toEqual(Buffer.from("place"));
    const renewed = rotated.sealCursor(siteId, "watch_users", Buffer.from("place"));
    expect(box.openCursor(siteId, "watch_users", renewed)).toBeUndefined();
  });

  test("shows equal places as different texts of equal length", () => {
    const cursors = Array.from({ length: 50 }, () => box.sealCursor(siteId, "p", Buffer.alloc(16)));

    expect(new Set(cursors).size).toBe(50);
    expect(new Set(cursors.map((cursor) => cursor.length)).size).toBe(1);
    expect(new Set(cursors.map((cursor) => cursor.slice(8, 20))).size).toBe(50);
  });

  test("does not open any other text", () => {
    const cursor = box.sealCursor(siteId, "watch_users", Buffer.from("place"));
    const letter = fc.constantFrom(..."ABCxyz019-_");
    fc.assert(
      fc.property(fc.nat({ max: cursor.length - 1 }), letter, (at, by) => {
        if (cursor[at] === by) return;
        const altered = cursor.slice(0, at) + by + cursor.slice(at + 1);

        expect(box.openCursor(siteId, "watch_users", altered)).toBeUndefined();
        expect(box.openCursor(siteId, "watch_users", cursor.slice(0, at))).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(box.openCursor(siteId, "watch_users", text)).toBeUndefined();
      }),
    );
    for (const text of [`${cursor}=`, `${cursor}A`, ` ${cursor}`, "A".repeat(100_000)]) {
      expect(box.openCursor(siteId, "watch_users", text)).toBeUndefined();
    }
  });
});
