import { availableParallelism } from "node:os";
import { create, toBinary } from "@bufbuild/protobuf";
import { ValidateTokenRequestSchema } from "../../gen/signet/v1/auth_service_pb.ts";
import { type BenchService, startBenchService } from "../bench-service.ts";
import { frame } from "../grpc-frame.ts";
import { type LoadGenerators, startLoadGenerators } from "../load.ts";
import { tellsUsage, usageOfService } from "../process-usage.ts";
import { playRounds } from "../rounds.ts";
import type { Bench, Figure, Row } from "../row.ts";

/** Besides one; no more than there are cores. */
const COUNTS = [2, 4].filter((count) => count <= availableParallelism());
/** A core that is added should bring so much of what the first has brought. */
const SHARE_OF_CORE = 0.8;
/** Together with the primary and PostgreSQL, the generators take as much as this. */
const OTHER_CORES = 2;

/** So many that each process gets about its share. */
const CONNECTIONS = 8;
const STREAMS = 4;
const WARM_UP_MS = 200;

interface Sample {
  readonly callsPerSecond: number;
  readonly cpuMicrosPerCall: number;
}

/**
 * ValidateToken by several processes on one port, beside one process that is measured in turn.
 * Goals are left open where there are too few cores for the processes and the load; what a call
 * costs all processes together still tells what their number costs.
 */
export const processes: Row = {
  names: COUNTS.flatMap((count) => [throughputOf(count), ...(tellsUsage() ? [costOf(count)] : [])]),
  async measure(bench) {
    const generators = bench.resources.use(startLoadGenerators());
    const services = await Promise.all(
      [1, ...COUNTS].map(async (count) => [count, await start(bench, count)] as const),
    );
    const contenders = services.map(([count, service]) => [
      count,
      () => measureService(bench, generators, service),
    ]);
    const samples: Record<string, Sample[]> = await playRounds(
      bench.rounds,
      Object.fromEntries(contenders),
    );
    return COUNTS.flatMap((count) => toFigures(count, samples[count] ?? [], samples[1] ?? []));
  },
};

function throughputOf(count: number): string {
  return `processes: throughput of ${count}`;
}

function costOf(count: number): string {
  return `processes: processor time of a call with ${count}`;
}

function start({ resources, environment }: Bench, count: number): Promise<BenchService> {
  return startBenchService(resources, environment, { SIGNET_WORKERS: `${count}` });
}

async function measureService(
  { roundMs }: Bench,
  generators: LoadGenerators,
  service: BenchService,
): Promise<Sample> {
  const request = create(ValidateTokenRequestSchema, { token: service.accessToken });
  const before = await usage(service);
  const { callsPerSecond } = await generators.apply({
    url: service.url,
    path: "/signet.v1.AuthService/ValidateToken",
    authorization: `Bearer ${service.siteKey}`,
    body: frame(toBinary(ValidateTokenRequestSchema, request)),
    connections: CONNECTIONS,
    streams: STREAMS,
    warmUpMs: WARM_UP_MS,
    ms: roundMs,
  });
  const calls = callsPerSecond * ((WARM_UP_MS + roundMs) / 1_000);
  const cpuMicrosPerCall = (((await usage(service)) - before) * 1_000) / calls;
  return { callsPerSecond, cpuMicrosPerCall };
}

async function usage({ pid }: BenchService): Promise<number> {
  return tellsUsage() ? (await usageOfService(pid)).cpuMs : Number.NaN;
}

function toFigures(count: number, several: readonly Sample[], one: readonly Sample[]): Figure[] {
  const name = "one process";
  const rates = (samples: readonly Sample[]) => samples.map((each) => each.callsPerSecond);
  const costs = (samples: readonly Sample[]) => samples.map((each) => each.cpuMicrosPerCall);
  const coresLast = availableParallelism() >= count + OTHER_CORES;
  const rate: Figure = {
    row: throughputOf(count),
    unit: "calls/s",
    samples: rates(several),
    yardstick: { name, samples: rates(one) },
    ...(coresLast && { goal: 1 + SHARE_OF_CORE * (count - 1) }),
  };
  const cost: Figure = {
    row: costOf(count),
    unit: "µs",
    samples: costs(several),
    yardstick: { name, samples: costs(one) },
    ...(coresLast && { goal: 1 / SHARE_OF_CORE }),
  };
  return tellsUsage() ? [rate, cost] : [rate];
}
