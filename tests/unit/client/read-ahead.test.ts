import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { type User, UserSchema } from "../../../gen/signet/v1/user_pb.ts";
import { readAhead } from "../../../src/client/read-ahead.ts";
import type {
  ChangesItem,
  SnapshotPageItem,
  SubscriptionItem,
} from "../../../src/client/subscription-item.ts";

const never = new AbortController().signal;

describe("reading ahead", () => {
  test("joins the pages that came while the reader was busy, under the last cursor", async () => {
    const items = readAhead(given([page(1, 2), page(3), page(4)]), never);
    const first = await items.next();
    await settled();

    const second = await items.next();

    expect(first.value).toEqual(page(1, 2));
    expect(second.value).toEqual({ ...page(4), users: [...page(3).users, ...page(4).users] });
  });

  test("joins Changes that follow each other, and none that repeat", async () => {
    const items = readAhead(given([page(1), changes(0, 2), changes(2, 3), changes(1, 3)]), never);
    await items.next();
    await settled();

    const [joined, repeated] = [await items.next(), await items.next()];

    expect(joined.value).toEqual({ ...changes(2, 3), previousPosition: 0n });
    expect(repeated.value).toEqual(changes(1, 3));
  });

  test("never joins more than 4,000 Users", async () => {
    const pages = Array.from({ length: 10 }, () => page(...Array(1_500).fill(1)));
    const items = readAhead(given(pages), never);
    await items.next();
    await settled();

    const { value } = await items.next();

    expect((value as SnapshotPageItem).users).toHaveLength(3_000);
  });

  test("reads at most 8 items that nobody has asked for", async () => {
    let read = 0;
    const endless = (async function* () {
      for (;;) yield changes(read, ++read - 2);
    })();
    const items = readAhead(endless, never);
    await items.next();

    await settled();

    expect(read).toBe(9);
    await items.return();
  });

  test("throws what the source throws, after the items before it", async () => {
    const items = readAhead(given([page(1)], new Error("lost")), never);

    expect((await items.next()).value).toEqual(page(1));
    await expect(items.next()).rejects.toThrow("lost");
  });

  test("drops what it has read once the signal is aborted", async () => {
    const ending = new AbortController();
    const items = readAhead(given([page(1), changes(0, 1), page(2)]), ending.signal);
    await items.next();
    await settled();

    ending.abort();

    expect(await items.next()).toEqual({ value: undefined, done: true });
  });
});

/** The first item comes alone, the others at once. */
async function* given(items: readonly SubscriptionItem[], error?: Error) {
  for (const [n, item] of items.entries()) {
    if (n === 1) await settled();
    yield item;
  }
  if (error) throw error;
}

/** Lets everything happen that needs no more than promises. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function page(...numbers: readonly number[]): SnapshotPageItem {
  const users: User[] = numbers.map((n) => create(UserSchema, { id: `user ${n}` }));
  return { type: "snapshot_page", users, cursor: `after ${numbers.at(-1)}` };
}

function changes(previous: number, position: number): ChangesItem {
  const [previousPosition, to] = [BigInt(previous), BigInt(position)];
  return { type: "changes", changes: [], previousPosition, position: to, cursor: `at ${position}` };
}
