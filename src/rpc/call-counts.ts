import type { DescMethod } from "@bufbuild/protobuf";
import { counter, gauge, type Metric, type Sample } from "../model/metric.ts";

/** How a call ended: by a code, and a reason where Signet has told one. */
export interface CallOutcome {
  readonly code: string;
  readonly reason?: string;
}

/** The calls of one RPC, in plain numbers: a call costs two additions. */
export interface MethodCalls {
  readonly rpc: string;
  begin(): void;
  end(outcome: CallOutcome, ms: number): void;
}

/** The calls of a process. */
export interface CallCounts {
  /** Returns the numbers of an RPC; there is one object for each. */
  of(method: DescMethod): MethodCalls;
  metrics(): readonly Metric[];
}

/** Upper bounds in ms. A token is checked in less than 1 ms; a password takes about 25. */
const BOUNDS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

const CALLS = "signet_calls_total";
const UNDER_WAY = "signet_calls_under_way";
const SECONDS = "signet_call_duration_seconds";
const CUT = "signet_slow_readers_cut_total";

/** Creates the numbers; RPCs that nobody has called have none. */
export function createCallCounts(): CallCounts {
  const counted = new Map<DescMethod, MethodCalls>();
  const all: Numbers[] = [];
  return {
    of(method) {
      const known = counted.get(method);
      if (known) return known;
      const numbers = blank(method);
      const calls = countInto(numbers);
      all.push(numbers);
      counted.set(method, calls);
      return calls;
    },
    metrics: () => [
      counter(CALLS, "Calls that have ended, by RPC, code and reason.", all.flatMap(outcomes)),
      gauge(UNDER_WAY, "Calls and streams under way, by RPC.", all.map(underWay)),
      {
        name: SECONDS,
        help: "How long unary calls took, by RPC.",
        type: "histogram",
        values: all.flatMap(durations),
      },
      counter(CUT, "Streams and exports that were cut since nobody read them.", all.map(cut)),
    ],
  };
}

interface Ended extends CallOutcome {
  calls: number;
}

interface Numbers {
  readonly rpc: string;
  readonly isUnary: boolean;
  underWay: number;
  ok: number;
  readonly failed: Map<string, Ended>;
  /** Of unary calls, those within each bound that are above the one before; the last has none. */
  readonly buckets: number[];
  sumMs: number;
}

function blank({ parent, name, methodKind }: DescMethod): Numbers {
  return {
    rpc: `${parent.typeName}/${name}`,
    isUnary: methodKind === "unary",
    underWay: 0,
    ok: 0,
    failed: new Map(),
    buckets: Array.from({ length: BOUNDS_MS.length + 1 }, () => 0),
    sumMs: 0,
  };
}

function countInto(numbers: Numbers): MethodCalls {
  const { rpc, isUnary, buckets } = numbers;
  return {
    rpc,
    begin() {
      numbers.underWay += 1;
    },
    end(outcome, ms) {
      numbers.underWay -= 1;
      if (outcome.code === "ok") numbers.ok += 1;
      else countFailed(numbers, outcome);
      if (!isUnary) return; // A stream lasts as long as its client wants.
      let n = 0;
      while (ms > (BOUNDS_MS[n] ?? Number.POSITIVE_INFINITY)) n += 1;
      buckets[n] = (buckets[n] ?? 0) + 1;
      numbers.sumMs += ms;
    },
  };
}

function countFailed({ failed }: Numbers, { code, reason }: CallOutcome): void {
  const id = `${code} ${reason ?? ""}`;
  const known = failed.get(id);
  if (known) known.calls += 1;
  else failed.set(id, { code, ...(reason !== undefined && { reason }), calls: 1 });
}

function outcomes({ rpc, ok, failed }: Numbers): Sample[] {
  const ended: readonly Ended[] = [{ code: "ok", calls: ok }, ...failed.values()];
  return ended.map(({ code, reason = "", calls }) => ({
    labels: { rpc, code, reason },
    value: calls,
  }));
}

function underWay({ rpc, underWay: value }: Numbers): Sample {
  return { labels: { rpc }, value };
}

function durations({ rpc, isUnary, buckets, sumMs }: Numbers): Sample[] {
  if (!isUnary) return [];
  const samples: Sample[] = [];
  let calls = 0;
  for (const [n, within] of buckets.entries()) {
    calls += within;
    const le = n < BOUNDS_MS.length ? String((BOUNDS_MS[n] ?? 0) / 1_000) : "+Inf";
    samples.push({ labels: { rpc, le }, value: calls, metricName: `${SECONDS}_bucket` });
  }
  samples.push({ labels: { rpc }, value: sumMs / 1_000, metricName: `${SECONDS}_sum` });
  samples.push({ labels: { rpc }, value: calls, metricName: `${SECONDS}_count` });
  return samples;
}

function cut({ rpc, failed }: Numbers): Sample {
  const slow = [...failed.values()].filter(({ reason }) => reason === "slow_consumer");
  return { labels: { rpc }, value: slow.reduce((sum, { calls }) => sum + calls, 0) };
}
