import { setTimeout as sleep } from "node:timers/promises";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Client } from "pg";
import { createSignetClient, type SignetClient } from "../../src/client/index.ts";
import type { SiteId } from "../../src/model/id.ts";
import { openSite } from "./builders.ts";
import { createChangeGenerator } from "./change-generator.ts";
import { openTestDatabase } from "./database.ts";
import { createServiceKeys, startService } from "./service.ts";
import { until } from "./waiting.ts";

/** What a restart was like for those who were subscribed. */
export interface RestartOutcome {
  /** From the signal until the service was ready again. */
  readonly awayMs: number;
  /** From the moment that the service was ready until all had every change. */
  readonly returnedMs: number;
  /** The most reads of the log that the database was seen busy with at once. */
  readonly readsAtOnce: number;
  /** Positions that a subscriber was never sent. */
  readonly gaps: number;
}

/** Who follows the Changes of a Site from now on, over as many connections as it takes. */
export interface Subscriber {
  readonly position: () => number;
  /** Positions that it was never sent. */
  readonly gaps: () => number;
  /** When its client is closed. */
  readonly ended: Promise<void>;
}

/** Few, since this process has to read them once for each subscriber. */
const CHANGES = 100;
const SAMPLE_MS = 10;
const WAIT_MS_MAX = 90_000;

/**
 * Restarts the service under so many subscribers, each with a connection of its own, and has all
 * of them miss the same changes.
 */
export async function restartUnder(
  subscribers: number,
  signal: NodeJS.Signals,
): Promise<RestartOutcome> {
  await using database = await openTestDatabase();
  const options = { databaseUrl: database.appUrl, keys: createServiceKeys() };
  await using before = await startService(options);
  const { siteId, key } = await openSite(
    createGrpcTransport({ baseUrl: before.url }),
    before.operatorKey,
  );
  const generator = createChangeGenerator(database.db, siteId as SiteId);
  const client = createSignetClient({ url: before.url, key });
  const all = Array.from({ length: subscribers }, (_, n) => subscribe(client, `subscriber-${n}`));
  const reads = countReads(database.adminUrl);
  try {
    await generator.create();
    await until(() => all.every(({ position }) => position() === 1), WAIT_MS_MAX);
    const signalMs = performance.now();
    await before.stop(signal);
    await generator.fill(CHANGES);
    await using after = await startService({ ...options, port: before.port });
    const readyMs = performance.now();
    await until(() => all.every(({ position }) => position() === 1 + CHANGES), WAIT_MS_MAX);
    const returnedMs = performance.now() - readyMs;
    client.close();
    await Promise.all(all.map(({ ended }) => ended));
    await after.stop("SIGKILL");
    const gaps = all.reduce((sum, subscriber) => sum + subscriber.gaps(), 0);
    const awayMs = readyMs - signalMs;
    return { awayMs, returnedMs, readsAtOnce: await reads.stop(), gaps };
  } finally {
    client.close();
    await reads.stop();
  }
}

/** Subscribes, with the client library; each subscriber has a connection of its own. */
export function subscribe(client: SignetClient, clientId: string): Subscriber {
  let position = 0;
  let gaps = 0;
  let hasBegun = false;
  const read = async (): Promise<void> => {
    const from = { start: "head", clientId, heartbeatSeconds: 5 } as const;
    for await (const item of client.subscribe(from)) {
      if (item.type !== "changes" && item.type !== "checkpoint") continue;
      // A checkpoint says that everything up to it has been sent.
      const previous = Number(item.type === "changes" ? item.previousPosition : item.position);
      if (hasBegun && previous > position) gaps += 1;
      hasBegun = true;
      position = Math.max(position, Number(item.position));
    }
  };
  return { position: () => position, gaps: () => gaps, ended: read() };
}

/** Looks again and again at what the service's connections are busy with. */
function countReads(adminUrl: string) {
  let most = 0;
  let stopped = false;
  const look = async (): Promise<number> => {
    const admin = new Client({ connectionString: adminUrl });
    await admin.connect();
    while (!stopped) {
      const { rows } = await admin.query<{ readonly count: number }>(
        `select count(*)::integer as count from pg_stat_activity
          where datname = current_database() and application_name = 'signet'
            and state = 'active' and query like '%from signet.changes%limit%'`,
      );
      most = Math.max(most, rows[0]?.count ?? 0);
      await sleep(SAMPLE_MS);
    }
    await admin.end();
    return most;
  };
  const looking = look();
  return {
    stop() {
      stopped = true;
      return looking;
    },
  };
}
