import { createSignetClient, type SubscriptionItem } from "../../../src/client/index.ts";
import { changes, hello, page, type Script, snapshotEnd, untilAborted } from "./watch-server.ts";

/** Two pages of a snapshot, and two Changes of which the first is in the snapshot already. */
export const STORY = [
  hello("s0", { snapshot: true }),
  page("s1", "ada", "bob"),
  page("s2", "cleo"),
  snapshotEnd("p1", 2, 1),
  changes(2, "ada"),
  changes(3, "bob"),
];
/** Where each frame of the story leaves whoever has read it. */
export const CURSORS = ["s0", "s1", "s2", "p1", "p2", "p3"];

/** Begins after the cursor, with a hello, and stays. */
export const storyteller: Script = async function* ({ cursor }, { signal }) {
  yield* cursor === "" ? STORY : [hello(cursor), ...STORY.slice(CURSORS.indexOf(cursor) + 1)];
  await untilAborted(signal);
};

/** Opens a client of the server. */
export function open(url: string, protocol: "connect" | "grpc" = "connect") {
  return createSignetClient({ url, key: "sgn_site_test", protocol });
}

/** Takes items up to the one with that cursor. */
export async function takeUntil(items: AsyncIterable<SubscriptionItem>, cursor: string) {
  const taken: SubscriptionItem[] = [];
  for await (const item of items) {
    taken.push(item);
    if (item.cursor === cursor) return taken;
  }
  return taken;
}
