import { describe, expect, test } from "vitest";
import { newId, type SiteId, type UserId } from "../../../src/model/id.ts";
import { type ChangeRing, createChangeRing } from "../../../src/rpc/change-ring.ts";
import type { LogRow } from "../../../src/store/changes.ts";

const SITE = newId<SiteId>();
const OTHER = newId<SiteId>();

describe("the ring", () => {
  test("has nothing after its head, nor where it has seen no change", () => {
    const ring = createChangeRing();
    bring(ring, [row(1), row(2)]);

    expect(ring.after(SITE, 2, 10)).toEqual([]);
    expect(ring.after(OTHER, 7, 10)).toEqual([]);
    expect([ring.head(SITE), ring.head(OTHER)]).toEqual([2, 0]);
  });

  test("answers from any place that it holds, up to the limit", () => {
    const ring = createChangeRing();
    bring(ring, [row(5), row(6)]);
    bring(ring, [row(7), row(8)]);

    expect(positions(ring.after(SITE, 4, 10))).toEqual([5, 6, 7, 8]);
    expect(positions(ring.after(SITE, 6, 1))).toEqual([7]);
  });

  test("sends to the log whoever is behind what it holds", () => {
    const ring = createChangeRing();
    bring(ring, [row(5)]);

    expect(ring.after(SITE, 3, 10)).toBeUndefined();
  });

  test("drops the oldest changes of all Sites when it is full", () => {
    const ring = createChangeRing(10 * 1_512);
    bring(ring, [row(1, OTHER, 1_000), row(2, OTHER, 1_000)]);
    for (let position = 1; position <= 9; position += 1) bring(ring, [row(position, SITE, 1_000)]);

    expect(ring.after(OTHER, 0, 10)).toBeUndefined();
    expect(positions(ring.after(OTHER, 1, 10))).toEqual([2]);
    expect(ring.after(SITE, 0, 10)).toHaveLength(9);
  });

  test("still knows its head when every change has left it", () => {
    const ring = createChangeRing(100);
    bring(ring, [row(1), row(2)]);

    expect(ring.head(SITE)).toBe(2);
    expect(ring.after(SITE, 1, 10)).toBeUndefined();
    expect(ring.after(SITE, 2, 10)).toEqual([]);
  });

  test("stays right over many evictions", () => {
    const ring = createChangeRing(100 * 512);
    for (let position = 1; position <= 10_000; position += 1) bring(ring, [row(position)]);

    expect(positions(ring.after(SITE, 9_900, 1_000))).toEqual(
      Array.from({ length: 100 }, (_, n) => 9_901 + n),
    );
    expect(ring.after(SITE, 9_899, 1_000)).toBeUndefined();
  });

  test("forgets everything in a new epoch, and wakes those who wait", () => {
    const ring = createChangeRing();
    let woken = 0;
    ring.onChange(SITE, () => {
      woken += 1;
    });
    bring(ring, [row(1)]);
    ring.apply({ epoch: 2, epochChanged: true, rows: [] });

    expect(woken).toBe(2);
    expect(ring.head(SITE)).toBe(0);
    expect(ring.after(SITE, 0, 10)).toEqual([]);
  });

  test("takes the personal data of a deleted User out at once", () => {
    const ring = createChangeRing();
    const [gone, kept] = [newId<UserId>(), newId<UserId>()];
    bring(ring, [change(1, gone), change(2, kept), change(3, gone)]);
    bring(ring, [change(4, gone, "user_deleted"), change(5, kept)]);

    const bodies = ring.after(SITE, 0, 10)?.map(({ body }) => body !== undefined);
    const versions = ring.after(SITE, 0, 10)?.map(({ version }) => version);

    expect(bodies).toEqual([false, true, false, true, true]);
    expect(versions).toEqual([1, 2, 3, 4, 5]);
  });

  test("wakes nobody for another Site, nor after they have stopped", () => {
    const ring = createChangeRing();
    let woken = 0;
    const stop = ring.onChange(SITE, () => {
      woken += 1;
    });
    bring(ring, [row(1, OTHER)]);
    stop();
    bring(ring, [row(1)]);

    expect(woken).toBe(0);
  });
});

function bring(ring: ChangeRing, rows: readonly LogRow[]): void {
  ring.apply({ epoch: 1, epochChanged: false, rows });
}

function change(
  position: number,
  userId: UserId,
  kind: "user_updated" | "user_deleted" = "user_updated",
) {
  return { ...row(position, SITE, 10), userId, kind } as LogRow;
}

function row(position: number, siteId = SITE, bytes = 0): LogRow {
  return {
    type: "user_change",
    pos: position,
    siteId,
    position,
    kind: "user_updated",
    furtherKinds: [],
    userId: newId<UserId>(),
    version: position,
    body: bytes > 0 ? new Uint8Array(bytes) : undefined,
    bulk: false,
    commitTime: new Date(0),
    sums: undefined,
  };
}

function positions(changes: ReturnType<ChangeRing["after"]>): number[] | undefined {
  return changes?.map(({ position }) => position);
}
