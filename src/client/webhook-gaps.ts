import type { WebhookEvent } from "../../gen/signet/v1/change_pb.ts";

/** Events that a webhook has told of and that have not come. */
export interface WebhookGap {
  readonly epoch: number;
  /** The position of the event that has not come; absent: Signet was restored. */
  readonly position: bigint | undefined;
}

/** Watches whether each event comes that a later one has told of. */
export interface WebhookGaps {
  note(event: Pick<WebhookEvent, "epoch" | "position" | "previousPosition">): void;
  close(): void;
}

const SEEN_MAX = 10_000;

/** Creates the watch: what has not come within `waitMs` is told. */
export function createWebhookGaps(
  waitMs: number,
  onGap: (gap: WebhookGap) => Promise<void> = () => Promise.resolve(),
): WebhookGaps {
  const seen = new Set<bigint>();
  const awaited = new Map<bigint, NodeJS.Timeout>();
  let epoch: number | undefined;

  function tell(gap: WebhookGap, retry: () => void): void {
    onGap(gap).catch(retry);
  }

  function awaitEvent(position: bigint, ofEpoch: number): void {
    const onLate = () => {
      awaited.delete(position);
      tell({ epoch: ofEpoch, position }, () => awaitEvent(position, ofEpoch));
    };
    awaited.set(position, setTimeout(onLate, waitMs).unref());
  }

  function forget(): void {
    for (const timer of awaited.values()) clearTimeout(timer);
    awaited.clear();
    seen.clear();
  }

  function beginEpoch(next: number): void {
    const isRestored = epoch !== undefined;
    forget();
    epoch = next;
    const later = () => setTimeout(() => tell(gap, later), waitMs).unref();
    const gap = { epoch: next, position: undefined };
    if (isRestored) tell(gap, later);
  }

  return {
    note({ epoch: ofEvent, position, previousPosition }) {
      if (epoch !== undefined && ofEvent < epoch) return; // Told of before the restore.
      if (ofEvent !== epoch) beginEpoch(ofEvent);
      clearTimeout(awaited.get(position));
      awaited.delete(position);
      seen.add(position);
      const [oldest] = seen;
      if (seen.size > SEEN_MAX && oldest !== undefined) seen.delete(oldest);
      const isMissing = previousPosition > 0n && !seen.has(previousPosition);
      if (isMissing && !awaited.has(previousPosition)) awaitEvent(previousPosition, ofEvent);
    },
    close: forget,
  };
}
