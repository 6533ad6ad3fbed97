import type { ChangesItem, SnapshotPageItem, SubscriptionItem } from "./subscription-item.ts";

/** Items that wait, and Users or Changes that are joined into one: both bound the memory. */
const ITEMS_MAX = 8;
const JOINED_MAX = 4_000;

/**
 * Reads up to 8 items while the reader is busy with others, so that network and database work at
 * the same time, and joins what has come meanwhile: pages of a snapshot, and batches of Changes.
 *
 * What was read and not asked for yet is dropped when the signal is aborted.
 */
export async function* readAhead(
  items: AsyncIterable<SubscriptionItem>,
  signal: AbortSignal,
): AsyncGenerator<SubscriptionItem, void, undefined> {
  const line = createLine(items[Symbol.asyncIterator]());
  while (!signal.aborted) {
    let item = await line.take();
    if (!item || signal.aborted) return;
    for (let next = line.peek(); next; next = line.peek()) {
      const joined = join(item, next);
      if (!joined) break;
      item = joined;
      line.drop();
    }
    yield item;
  }
}

/** What has been read, in a line. The next item is asked for as soon as there is room for it. */
function createLine(source: AsyncIterator<SubscriptionItem>) {
  const waiting: SubscriptionItem[] = [];
  let reading: Promise<void> | undefined;
  let ended: { readonly error: unknown } | { readonly error?: never } | undefined;

  function fill(): void {
    if (reading || ended || waiting.length >= ITEMS_MAX) return;
    reading = read().finally(() => {
      reading = undefined;
      fill();
    });
  }

  /** Never rejects: an error is for whoever takes what comes after the items before it. */
  async function read(): Promise<void> {
    try {
      const { value, done } = await source.next();
      if (done) ended = {};
      else waiting.push(value);
    } catch (error) {
      ended = { error };
    }
  }

  const drop = (): SubscriptionItem | undefined => {
    const item = waiting.shift();
    fill();
    return item;
  };
  return {
    peek: () => waiting[0],
    drop,
    /** Answers undefined at the end. @throws what the source has thrown. */
    async take(): Promise<SubscriptionItem | undefined> {
      while (waiting.length === 0 && !ended) {
        fill();
        await reading;
      }
      const item = drop();
      if (!item && ended && "error" in ended) throw ended.error;
      return item;
    },
  };
}

/** Returns one item that stands for two; undefined where there is none, or it would be too big. */
function join(first: SubscriptionItem, second: SubscriptionItem): SubscriptionItem | undefined {
  if (first.type === "snapshot_page" && second.type === "snapshot_page") {
    return joinPages(first, second);
  }
  if (first.type === "changes" && second.type === "changes") return joinChanges(first, second);
  return undefined;
}

function joinPages(first: SnapshotPageItem, second: SnapshotPageItem) {
  if (first.users.length + second.users.length > JOINED_MAX) return undefined;
  return { ...second, users: [...first.users, ...second.users] };
}

/** Only what follows is joined: a resumed stream may repeat positions. */
function joinChanges(first: ChangesItem, second: ChangesItem) {
  if (first.position !== second.previousPosition) return undefined;
  if (first.changes.length + second.changes.length > JOINED_MAX) return undefined;
  const { previousPosition } = first;
  return { ...second, previousPosition, changes: [...first.changes, ...second.changes] };
}
