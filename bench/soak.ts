import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { ValidateTokenRequestSchema } from "../gen/signet/v1/auth_service_pb.ts";
import { type BenchService, startBenchService } from "./bench-service.ts";
import { forkChild } from "./child-process.ts";
import { checkTokens } from "./distinct-tokens.ts";
import { frame } from "./grpc-frame.ts";
import { openLiveMemory } from "./live-memory.ts";
import { startLoadGenerators } from "./load.ts";
import type { SoakSize } from "./options.ts";
import { usageOfService } from "./process-usage.ts";
import { freePort } from "./service-process.ts";
import { describeGrowth, type MemoryReading, tellPhases } from "./soak-report.ts";
import type { ClientOrder, ClientReply } from "./stream-clients.ts";

const CLIENTS = new URL("./stream-clients.ts", import.meta.url);
const CLIENT_PROCESSES = 2;
/** What is thrown away is collected, and given back, within so long. */
const SETTLE_MS = 10_000;
const TURNS = 3;
/** The load runs for one half of each turn, and rests for the other. */
const LOAD_MS = 500;
const READINGS_MAX = 600;
/** So many calls from one address are a flood to Signet. */
const SETTINGS = { SIGNET_RATE_LIMIT_PERCENT: "100000", LOG_LEVEL: "warn" };

/**
 * Watches the memory of one service: with many streams and without them, after many distinct
 * tokens, and over a long time at half of the load that it can bear.
 */
export async function soak(
  size: SoakSize,
  json: boolean,
  resources: AsyncDisposableStack,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  const inspectorPort = await freePort();
  const settings = { ...SETTINGS, NODE_OPTIONS: `--inspect=127.0.0.1:${inspectorPort}` };
  const service = await startBenchService(resources, environment, settings);
  const live = resources.use(await openLiveMemory(inspectorPort));
  const readings: MemoryReading[] = [];
  const read = async (phase: string): Promise<void> => {
    const { residentBytes } = await usageOfService(service.pid);
    const heapBytes = await live.heapBytes();
    readings.push({ phase, residentBytes, heapBytes, atMs: performance.now() });
    const [resident, heap] = [residentBytes, heapBytes].map((bytes) => Math.round(bytes / 2 ** 20));
    console.error(`${phase}: ${resident} MiB, ${heap} of them live in the heap`);
  };
  await read("at the start");
  await holdStreams(service, size.streams, resources, read);
  await checkInTurns(service, size.tokens, read);
  const load = await runHalfLoad(service, size.minutes, resources);
  await sleep(SETTLE_MS);
  await read("at the end");
  const growth = describeGrowth(load);
  console.log(json ? JSON.stringify({ readings, growth }) : tellPhases(readings, growth));
}

/** The same streams come and go again and again: what they leave behind adds up. */
async function holdStreams(
  service: BenchService,
  streams: number,
  resources: AsyncDisposableStack,
  read: (phase: string) => Promise<void>,
): Promise<void> {
  const address = { url: service.url, authorization: `Bearer ${service.siteKey}` };
  for (let turn = 1; turn <= TURNS; turn += 1) {
    await using clients = new AsyncDisposableStack();
    resources.use(clients);
    const each = Math.ceil(streams / CLIENT_PROCESSES);
    const opened = Array.from({ length: CLIENT_PROCESSES }, (_, n) => {
      const child = clients.use(forkChild<ClientOrder, ClientReply>(CLIENTS));
      const names = { audience: "soak", prefix: `soak-${n}` };
      return child.ask({ type: "open", ...names, address, streams: each });
    });
    await Promise.all(opened);
    await sleep(SETTLE_MS);
    await read(`with ${streams} streams, time ${turn}`);
    await clients.disposeAsync();
    await sleep(SETTLE_MS);
    await read(`after they have left, time ${turn}`);
  }
}

async function checkInTurns(
  service: BenchService,
  tokens: number,
  read: (phase: string) => Promise<void>,
): Promise<void> {
  const each = Math.ceil(tokens / TURNS);
  for (let turn = 1; turn <= TURNS; turn += 1) {
    await checkTokens(service, each);
    await read(`after ${each * turn} distinct tokens`);
  }
}

/** Checks one token as fast as it goes for half of the time, and writes now and then. */
async function runHalfLoad(
  service: BenchService,
  minutes: number,
  resources: AsyncDisposableStack,
): Promise<readonly MemoryReading[]> {
  const generators = resources.use(startLoadGenerators());
  const durationMs = minutes * 60_000;
  const beginMs = performance.now();
  const readings: MemoryReading[] = [];
  let nextMs = 0;
  for (let n = 0; performance.now() - beginMs < durationMs; n += 1) {
    const token = await freshToken(service);
    const request = create(ValidateTokenRequestSchema, { token });
    await generators.apply({
      url: service.url,
      path: "/signet.v1.AuthService/ValidateToken",
      authorization: `Bearer ${service.siteKey}`,
      body: frame(toBinary(ValidateTokenRequestSchema, request)),
      connections: 2,
      streams: 16,
      warmUpMs: 0,
      ms: LOAD_MS,
    });
    await Promise.all([sleep(LOAD_MS), writeUser(service, n)]);
    const atMs = performance.now() - beginMs;
    if (atMs < nextMs) continue;
    nextMs = atMs + durationMs / READINGS_MAX;
    const { residentBytes } = await usageOfService(service.pid);
    readings.push({ phase: "at half load", residentBytes, atMs });
  }
  return readings;
}

/** Each login is a Session, a refresh token and an event of the audit log more. */
async function freshToken({ client, user }: BenchService): Promise<string> {
  const identifier = { case: "email", value: user.email } as const;
  const { result } = await client.auth.login({ identifier, password: user.password });
  if (result.case !== "session") throw new Error("the login did not start a Session");
  return result.value.tokens?.accessToken ?? "";
}

async function writeUser({ client }: BenchService, n: number): Promise<void> {
  const { user } = await client.users.createUser({ email: `soak-${n}@example.com` });
  const userId = user?.id ?? "";
  await client.users.updateUser({ userId, displayName: `Soak ${n}` });
  await client.users.deleteUser({ userId });
}
