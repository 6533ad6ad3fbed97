import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  type Clients,
  grpcClients,
  openSite,
  patiently,
  type SignedIn,
  signUp,
} from "./builders.ts";
import { openTestDatabase } from "./database.ts";
import type { Verdict } from "./hostile-judge.ts";
import type { KnownNames } from "./hostile-values.ts";
import { startService, type TestService } from "./service.ts";
import { until } from "./waiting.ts";

/** A service under attack: one Site is known to the attacker, another is used by honest callers. */
export interface HostileTrial extends AsyncDisposable {
  readonly service: TestService;
  readonly known: KnownNames;
  /** Of the attacked Site: its key, a User's access token; and the operator's key. */
  readonly credentials: readonly string[];
  /** Makes two honest calls of a backend's; returns how long both took. */
  callHonestly(): Promise<number>;
  /** Tells what the process holds after a collection of garbage. */
  memory(): Promise<HeldMemory>;
  /** What the log has at level error and above, but for failed outward calls. */
  errors(): readonly string[];
}

/** What a process holds. */
export interface HeldMemory {
  readonly pid: number;
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
}

/** How inputs were answered. */
export interface HostileTally {
  readonly inputs: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** The first few inputs whose answers had faults. */
  readonly faults: readonly string[];
  /** The longest and the 99th percentile of the honest calls in between. */
  readonly honestMsMax: number;
  readonly honestMsP99: number;
  /** By how much more memory is in use at the end, after a collection of garbage. */
  readonly grownMegabytes: number;
  /** The same as the system sees it, with what is free for the next request. */
  readonly residentMegabytes: number;
}

/** Sends the n-th input and judges the answer; `what` names the input. */
export type SendInput = (n: number) => Promise<Verdict & { readonly what: string }>;

const MEMORY_PROGRAM = fileURLToPath(new URL("./hostile-memory.ts", import.meta.url));
const AT_A_TIME = 64;
const INPUTS_PER_PROBE = 200;
const FAULTS_MAX = 20;
const LOGINS = 16;
/** An honest call takes longer on a machine that has far more to do than it can. */
const HONEST_MS_MAX = 30_000;

/** Starts the service, with limits of calls that a flood does not reach, and fills two Sites. */
export async function openHostileTrial(): Promise<HostileTrial> {
  const database = await openTestDatabase();
  const socket = join(tmpdir(), `signet-memory-${randomUUID().slice(0, 8)}`);
  const service = await startService({
    databaseUrl: database.appUrl,
    env: {
      LOG_LEVEL: "error",
      SIGNET_RATE_LIMIT_PERCENT: "100000",
      SIGNET_FORWARD_AUTH_COOKIE: "session",
      SIGNET_FORWARD_AUTH_LOGIN_URL: "https://login.signet.test/",
      NODE_OPTIONS: `--expose-gc --import ${MEMORY_PROGRAM}`,
      HOSTILE_MEMORY_SOCKET: socket,
    },
  });
  const transport = createGrpcTransport({ baseUrl: service.url });
  const [attacked, honest] = [
    await openSite(transport, service.operatorKey),
    await openSite(transport, service.operatorKey),
  ];
  const [victim, person] = [await signUp(attacked.backend), await signUp(honest.backend)];
  await hashOnEveryThread(honest.backend, person);
  return {
    service,
    known: {
      site_id: attacked.siteId,
      user_id: victim.userId,
      email: victim.email,
      password: victim.password,
      session_id: victim.sessionId,
      refresh_token: victim.refreshToken,
      token: victim.accessToken,
    },
    credentials: [attacked.key, attacked.key, victim.accessToken, service.operatorKey],
    callHonestly: honestCaller(service, honest.key, person),
    memory: () => readMemory(socket),
    errors: () =>
      service
        .stderr()
        .split("\n")
        .filter((line) => /"level":[56]0/.test(line)),
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
      await rm(socket, { force: true });
    },
  };
}

/**
 * Sends so many inputs, some at a time. Between them the process has to be the same, and an honest
 * call has to be answered; so too at the end, when nothing else is under way.
 */
export async function runHostileInputs(
  trial: HostileTrial,
  inputs: number,
  send: SendInput,
): Promise<HostileTally> {
  const outcomes: Record<string, number> = {};
  const faults: string[] = [];
  const honestMs: number[] = [];
  const before = await trial.memory();
  let next = 0;
  async function work(): Promise<void> {
    while (next < inputs) {
      next += 1;
      const isProbe = next % INPUTS_PER_PROBE === 0;
      const sent = send(next - 1).catch((error: unknown) => endedOr(trial, error));
      const { outcome, fault, what } = await sent;
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      if (fault && faults.length < FAULTS_MAX) faults.push(`${what}: ${fault}`);
      if (isProbe) honestMs.push(await surviving(trial));
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  honestMs.push(await surviving(trial));
  const after = await trial.memory();
  if (after.pid !== before.pid) throw new Error("the process is another one");
  const sorted = honestMs.sort((a, b) => a - b);
  return {
    inputs,
    outcomes,
    faults,
    honestMsMax: Math.round(sorted.at(-1) ?? 0),
    honestMsP99: Math.round(sorted[Math.floor(sorted.length * 0.99)] ?? 0),
    grownMegabytes: megabytes(after.heapUsed + after.external - before.heapUsed - before.external),
    residentMegabytes: megabytes(after.rss - before.rss),
  };
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}

/** Tells a tally in one line. */
export function tallyLine(name: string, tally: HostileTally): string {
  const { outcomes, inputs, honestMsMax, honestMsP99, grownMegabytes, residentMegabytes } = tally;
  const told = Object.entries(outcomes).sort((a, b) => b[1] - a[1]);
  const honest = `honest calls p99 ${honestMsP99} ms, longest ${honestMsMax} ms`;
  const answers = told.map(([outcome, count]) => `${outcome} ${count}`).join(", ");
  const memory = `memory ${grownMegabytes} MB more, resident ${residentMegabytes} MB`;
  return `${name}: ${inputs} inputs, ${honest}, ${memory}; ${answers}`;
}

async function surviving(trial: HostileTrial): Promise<number> {
  const { service } = trial;
  if (service.exitCode() !== undefined) throw ended(service);
  return await trial.callHonestly().catch((error: unknown) => endedOr(trial, error));
}

/** A service that cannot be reached has ended, most likely; then its log says more. */
async function endedOr({ service }: HostileTrial, error: unknown): Promise<never> {
  await until(() => service.exitCode() !== undefined, 5_000).catch(() => {
    throw error;
  });
  throw ended(service);
}

function ended(service: TestService): Error {
  return new Error(`the service has ended:\n${service.stderr().slice(-4_000)}`);
}

/** Each thread keeps the 19 MiB of a hash for the next one; that is none of the inputs' doing. */
async function hashOnEveryThread(
  { auth }: Pick<Clients, "auth">,
  { email, password }: SignedIn,
): Promise<void> {
  const identifier = { case: "email", value: email } as const;
  const logIn = () => patiently(() => auth.login({ identifier, password }));
  await Promise.all(Array.from({ length: LOGINS }, logIn));
}

/** Keeps its connection, as honest callers do. */
function honestCaller({ url }: TestService, key: string, { userId, accessToken }: SignedIn) {
  const { users, auth } = grpcClients(url, key);
  return async (): Promise<number> => {
    const beginMs = performance.now();
    const signal = AbortSignal.timeout(HONEST_MS_MAX);
    // As any honest caller, it repeats a call that was answered with UNAVAILABLE.
    await Promise.all([
      patiently(() => users.getUser({ userId }, { signal })),
      patiently(() => auth.validateToken({ token: accessToken }, { signal })),
    ]);
    return performance.now() - beginMs;
  };
}

async function readMemory(socket: string): Promise<HeldMemory> {
  return JSON.parse(await text(connect(socket))) as HeldMemory;
}
