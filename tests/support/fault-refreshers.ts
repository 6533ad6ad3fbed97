import { setTimeout as sleep } from "node:timers/promises";
import { type Clients, patiently, refusalOf, signUp } from "./builders.ts";
import { runAsAdmin } from "./database.ts";
import type { OperationLog } from "./operation-log.ts";
import { countLineages, type Holder } from "./refresh-race.ts";
import { isPassing } from "./unforeseen.ts";
import { until } from "./waiting.ts";

/** Holders of Sessions who refresh them again and again, and log what they are told. */
export interface FaultRefreshers {
  readonly faults: readonly string[];
  /** How often somebody came back too late for an answer that was lost, and signed in anew. */
  lateReturns(): number;
  run(isOver: () => boolean, signal: AbortSignal): Promise<void>;
  /** Has each token presented until there is an answer, now that nothing strikes any more. */
  settle(signal: AbortSignal): Promise<void>;
  /** Lists what is wrong with the tokens that are left. */
  judge(adminUrl: string): Promise<string[]>;
}

/** Who refreshes, and where. */
export interface FaultRefreshersOptions {
  readonly log: OperationLog;
  /** The same key at each process of the service. */
  readonly processes: readonly Clients[];
  readonly refreshers: number;
  /** Whether every token is to be presented twice at once at present. */
  isTwice(): boolean;
  readonly callMsMax: number;
}

const PAUSE_MS_MAX = 100;
const SETTLE_MS_MAX = 60_000;
const INVALID = "REFRESH_TOKEN_INVALID";

/** Signs as many people in; each presents the same token again as long as it has no answer. */
export async function openFaultRefreshers(
  options: FaultRefreshersOptions,
): Promise<FaultRefreshers> {
  const { log, processes, refreshers, callMsMax } = options;
  const faults: string[] = [];
  const holders: (Holder | undefined)[] = [];
  let lateReturns = 0;
  for (let n = 0; n < refreshers; n += 1) holders.push(await signInAt(pick(processes)));

  async function refreshOnce(n: number, holder: Holder): Promise<Holder | undefined> {
    const { sessionId, refreshToken: token } = holder;
    const { auth } = pick(processes);
    const end = log.invoke(`holder ${n}`, { type: "refresh", sessionId, token });
    try {
      const limits = { timeoutMs: callMsMax };
      const { tokens } = await auth.refreshToken({ refreshToken: token }, limits);
      const successor = tokens?.refreshToken ?? "";
      end({ type: "refreshed", successor });
      return { sessionId, refreshToken: successor };
    } catch (error) {
      const { reason } = refusalOf(error);
      if (reason === INVALID) {
        end({ type: "refused", reason });
        lateReturns += 1;
        return undefined; // Whether it was too late is for the checker to say.
      }
      end({ type: "unknown", problem: String(error) });
      if (!isPassing(error)) faults.push(String(error));
      return holder;
    }
  }

  async function refreshAnswered(n: number, holder: Holder) {
    const next = await refreshOnce(n, holder);
    return next === holder ? undefined : { holder: next };
  }

  /** Whoever presents a token twice is given the same successor twice. */
  async function refreshTwice(n: number, holder: Holder): Promise<Holder | undefined> {
    const [first, second] = await Promise.all([refreshOnce(n, holder), refreshOnce(n, holder)]);
    return first === holder ? second : first;
  }

  async function goOn(n: number, isOver: () => boolean, signal: AbortSignal): Promise<void> {
    while (!isOver()) {
      signal.throwIfAborted();
      const holder = holders[n];
      holders[n] = holder
        ? await (options.isTwice() ? refreshTwice : refreshOnce)(n, holder)
        : await signInAt(pick(processes)).catch(() => undefined);
      await sleep(Math.random() * PAUSE_MS_MAX);
    }
  }

  return {
    faults,
    lateReturns: () => lateReturns,
    async run(isOver, signal) {
      await Promise.all(holders.map((_, n) => goOn(n, isOver, signal)));
    },
    async settle(signal) {
      for (const [n, holder] of holders.entries()) {
        if (!holder) continue;
        const settled = await until(() => refreshAnswered(n, holder), SETTLE_MS_MAX, signal);
        holders[n] = settled.holder;
      }
    },
    async judge(adminUrl) {
      const alive = holders.filter((holder) => holder !== undefined);
      const found = [...faults];
      if (alive.length === 0) return found;
      const { sessions, ends } = await countLineages(adminUrl, alive);
      if (ends > sessions) found.push(`${sessions} Sessions have ${ends} tokens that are good`);
      if (sessions < alive.length) found.push(`of ${alive.length} Sessions ${sessions} are left`);
      if (await countForks(adminUrl)) found.push("a refresh token is the successor of two");
      return found;
    },
  };
}

/** Counts the tokens of all Sessions that have followed more than one other. */
async function countForks(adminUrl: string): Promise<number> {
  const forks = await runAsAdmin(
    adminUrl,
    `select successor_hash from signet.refresh_tokens
      where successor_hash is not null group by successor_hash having count(*) > 1`,
  );
  return forks.length;
}

async function signInAt(clients: Clients): Promise<Holder> {
  const { sessionId, refreshToken } = await patiently(() => signUp(clients));
  return { sessionId, refreshToken };
}

function pick<T>(list: readonly T[]): T {
  const picked = list[Math.floor(Math.random() * list.length)];
  if (picked === undefined) throw new Error("there is nothing to pick from");
  return picked;
}
