import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { MirrorState, type ReconcileSchema } from "../../gen/signet/v1/change_pb.ts";
import { jitteredDelayMs, pause } from "./backoff.ts";
import type { MirrorHealth } from "./mirror-health.ts";
import type { MirrorLedger } from "./mirror-ledger.ts";
import type { UserMirrorStatus } from "./mirror-options.ts";
import type { ReconcileRecord } from "./mirror-report.ts";
import type { MirrorStorage } from "./mirror-storage.ts";
import type { MirrorSums } from "./mirror-sums.ts";
import type { SignetClient } from "./signet-client.ts";
import { VERSION } from "./version.ts";

/** Tells Signet how the Mirror is, so that it is listed there. */
export interface MirrorReporter {
  /** Notes what a checkpoint says the sums are. */
  noteCheckpoint(position: bigint, sums: MirrorSums): void;
  /** Looks whether the Mirror's state has changed. */
  wake(): void;
  /** Reports until the signal is aborted. A report that fails disturbs nothing. */
  run(signal: AbortSignal): Promise<void>;
}

/** What reporting takes. */
export interface ReporterOptions {
  readonly client: Pick<SignetClient, "sync">;
  /** Empty: the key's own. */
  readonly siteId: string;
  readonly name: string;
  readonly ledger: MirrorLedger;
  readonly storage: Pick<MirrorStorage<never>, "readRecord" | "foreignWrites">;
  readonly health: MirrorHealth;
  readonly status: { readonly present: UserMirrorStatus | undefined };
}

const SOFTWARE = `signet-client/${VERSION} (Node.js ${process.version})`;
/** States may change many times a second. */
const GAP_MS = 1_000;
/** A Mirror that is a moment behind does not lag. */
const LAGGING_MS = 2_000;
/** A report with the sums of a checkpoint says more: it waits this long for one. */
const CHECKPOINT_MS_MAX = 16_000;
const INTERVAL_MS_MIN = 1_000;
const INTERVAL_MS_MAX = 3_600_000;
const RETRY = { firstMs: 30_000, longestMs: 300_000 };

/** Begins with nothing reported. */
export function createMirrorReporter(options: ReporterOptions): MirrorReporter {
  const { client, siteId, name, ledger, storage, health } = options;
  let checkpoint: { readonly position: bigint; readonly sums: MirrorSums } | undefined;
  let wake = () => {};
  let reported: MirrorState | undefined;
  let dueMs = 0;
  let failures = 0;

  async function send(state: MirrorState, signal: AbortSignal): Promise<number> {
    const { id, last } = await storage.readRecord();
    const foreignWrites = await storage.foreignWrites();
    const { epoch, position, sums } = ledger.state;
    const isSamePlace = checkpoint?.position === position;
    const place = { epoch, position, ...(sums && { sums }) };
    const request = {
      siteId,
      id,
      name,
      state,
      ...place,
      foreignWrites,
      software: SOFTWARE,
      ...(sums && isSamePlace && { checkpointSums: checkpoint?.sums }),
      ...(last && { lastReconcile: toReconcile(last) }),
    };
    const { reportIntervalSeconds } = await client.sync.reportMirror(request, { signal });
    const intervalMs = reportIntervalSeconds * 1_000;
    return Math.min(Math.max(intervalMs, INTERVAL_MS_MIN), INTERVAL_MS_MAX);
  }

  /** How long until something is to be reported, as far as is known now. */
  function waitMs(state: MirrorState | undefined): number {
    if (state === undefined) return GAP_MS;
    if (state !== reported) return 0;
    const leftMs = dueMs - performance.now();
    const isSettled = checkpoint?.position === ledger.state.position;
    return leftMs > 0 || isSettled ? leftMs : leftMs + CHECKPOINT_MS_MAX;
  }

  async function report(state: MirrorState, signal: AbortSignal): Promise<void> {
    let intervalMs: number;
    try {
      intervalMs = await send(state, signal);
      failures = 0;
    } catch {
      // Reports only show how the Mirror is: it works as well without, and the next one follows.
      if (signal.aborted) return;
      health.counters.reportFailures++;
      intervalMs = RETRY.firstMs / 2 + jitteredDelayMs(RETRY, ++failures);
    }
    reported = state;
    dueMs = performance.now() + intervalMs;
    await pause(GAP_MS, signal);
  }

  return {
    noteCheckpoint(position, sums) {
      checkpoint = { position, sums };
      wake();
    },
    wake: () => wake(),
    async run(signal) {
      while (!signal.aborted) {
        const waking = new AbortController();
        wake = () => waking.abort();
        const state = stateOf(options.status.present, health.laggingMs);
        const leftMs = waitMs(state);
        if (state !== undefined && leftMs <= 0) await report(state, signal);
        else await pause(leftMs, AbortSignal.any([signal, waking.signal]));
      }
    },
  };
}

function stateOf(
  status: UserMirrorStatus | undefined,
  laggingMs: number | undefined,
): MirrorState | undefined {
  switch (status?.type) {
    case "snapshot":
      return MirrorState.SNAPSHOT;
    case "live":
      return MirrorState.LIVE;
    case "lagging":
      return (laggingMs ?? 0) > LAGGING_MS ? MirrorState.LAGGING : MirrorState.LIVE;
    case "diverged":
      return MirrorState.DIVERGED;
    case "repairing":
      return MirrorState.REPAIRING;
    case "reconnecting":
      return MirrorState.DISCONNECTED;
    default:
      return undefined;
  }
}

function toReconcile(record: ReconcileRecord): MessageInitShape<typeof ReconcileSchema> {
  return {
    finishTime: timestampFromDate(new Date(record.finishTime)),
    position: record.position,
    missingCount: BigInt(record.missing),
    staleCount: BigInt(record.stale),
    extraCount: BigInt(record.extra),
    alteredCount: BigInt(record.altered),
    repairedCount: BigInt(record.repaired),
  };
}
