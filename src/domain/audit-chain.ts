import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { LIMITS } from "../model/limits.ts";
import { chainAuditEvents } from "../store/audit-events.ts";
import type { SiteDatabase } from "../store/database.ts";
import type { Queryable } from "../store/sql.ts";

/** What links committed audit events to the chains of their Sites, in each process. */
export interface AuditChain {
  /** Takes the first step, and goes on about once a second. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const POLL_MS = 1_000;
const ATTEMPTS_MAX = 40;
const RETRY_MS = 25;

/** Creates the chaining. One process does it at a time; the others find nothing to do. */
export function createAuditChain(db: SiteDatabase, log: Logger): AuditChain {
  const across: Queryable = { query: (statement) => db.acrossSites(statement) };
  const stopping = new AbortController();
  let isAway = false;
  let running: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const isBehind = await step().then(onBack, onAway);
      if (!isBehind) await pause();
    }
  }

  async function step(): Promise<boolean> {
    return (await chainAuditEvents(across, LIMITS.chainedEventsMax)) >= LIMITS.chainedEventsMax;
  }

  function onBack(isBehind: boolean): boolean {
    if (isAway) log.info({}, "audit events are chained again");
    isAway = false;
    return isBehind;
  }

  function onAway(error: unknown): boolean {
    if (!isAway) log.warn({ err: error }, "audit events are not chained");
    isAway = true;
    return false;
  }

  async function pause(): Promise<void> {
    await sleep(POLL_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
  }

  return {
    async start() {
      await step();
      running = run();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/**
 * Links what is committed already, so that a list that is read next has it all. It gives up after
 * about a second: what is missing then is there in a moment.
 */
export async function chainNow(db: SiteDatabase): Promise<void> {
  const across = { query: db.acrossSites };
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const count = await chainAuditEvents(across, LIMITS.chainedEventsMax);
    if (count >= 0 && count < LIMITS.chainedEventsMax) return;
    if (count < 0) await sleep(RETRY_MS);
  }
}
