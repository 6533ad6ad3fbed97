import { useEffect, useState } from "react";
import type { Mirror } from "../../../gen/signet/v1/change_pb.ts";

/** How many values of a Mirror are kept: five minutes of them. */
const SAMPLES_MAX = 60;

type LagHistory = ReadonlyMap<string, readonly number[]>;

interface Polled {
  /** When the newest values were asked for: an equal answer counts as well. */
  readonly polledMs?: number;
  readonly history: LagHistory;
}

/** Remembers the lag of each Mirror in milliseconds, once for each time that it was asked. */
export function useLagHistory(mirrors: readonly Mirror[], polledMs: number): LagHistory {
  const [{ history }, setPolled] = useState<Polled>({ history: new Map() });
  useEffect(() => {
    setPolled((before) => {
      if (before.polledMs === polledMs) return before;
      const lags = mirrors.map((mirror) => [mirror.id, longer(before.history, mirror)] as const);
      return { polledMs, history: new Map(lags) };
    });
  }, [mirrors, polledMs]);
  return history;
}

/** A picture of one value has no line, so the first one stands for a time before it too. */
function longer(before: LagHistory, { id, lagMs }: Mirror): readonly number[] {
  const lag = Number(lagMs);
  return [...(before.get(id) ?? [lag]), lag].slice(-SAMPLES_MAX);
}
