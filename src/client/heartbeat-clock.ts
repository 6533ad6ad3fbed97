import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";

/** Tells how old a heartbeat is, on this machine's clock that nobody sets. */
export interface HeartbeatClock {
  /** Notes what Signet's clock showed as the stream began. */
  noteHello(serverTime: Timestamp | undefined): void;
  /** Returns up to when everything is known, by `performance.now()`; never too late. */
  knownMs(asOf: Timestamp | undefined): number;
}

/**
 * Makes the clock of one stream; call it before the stream is opened.
 *
 * A heartbeat that has lain somewhere, in a proxy or in the buffers of a process that stood still,
 * must not make anything younger. So its time is counted from a moment that was not later than
 * the hello, and not from its arrival. Nobody's clock has to be right for that.
 */
export function createHeartbeatClock(): HeartbeatClock {
  const openedMs = performance.now();
  let helloMs: number | undefined;
  return {
    noteHello(serverTime) {
      helloMs = serverTime && timestampMs(serverTime);
    },
    knownMs(asOf) {
      const nowMs = performance.now();
      if (helloMs === undefined || !asOf) return nowMs;
      return Math.min(nowMs, openedMs + timestampMs(asOf) - helloMs);
    },
  };
}
