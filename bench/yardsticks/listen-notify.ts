import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { startAppDatabase } from "../app-database.ts";
import { createWallClock } from "../wall-clock.ts";

/** Two connections to a PostgreSQL of their own: one notifies, the other listens. */
export interface Notifications {
  /**
   * Writes a row and notifies, `count` times with a pause after each; returns how long it took
   * from each write until the notification arrived.
   */
  measure(count: number, pauseMs: number): Promise<number[]>;
}

const ARRIVAL_MS_MAX = 5_000;

/** Starts a PostgreSQL like the service's, and connects to it twice. */
export async function startNotifications(resources: AsyncDisposableStack): Promise<Notifications> {
  const url = await startAppDatabase(resources);
  const [sender, listener] = await Promise.all([connect(url), connect(url)]);
  resources.defer(async () => {
    await Promise.all([sender.end(), listener.end()]);
  });
  await sender.query("create table writes (write_time timestamptz not null)");
  await listener.query("listen bench");
  return {
    async measure(count, pauseMs) {
      const wallMs = createWallClock();
      const delaysMs: number[] = [];
      for (let n = 0; n < count; n += 1) {
        const signal = AbortSignal.timeout(ARRIVAL_MS_MAX);
        const arrival = once(listener, "notification", { signal }).then(([{ payload }]) => {
          delaysMs.push(wallMs() - Number(payload));
        });
        await Promise.all([sender.query(WRITE_THEN_NOTIFY), arrival]);
        await sleep(pauseMs);
      }
      return delaysMs;
    },
  };
}

/**
 * A commit with something to make durable, as each of Signet's has. The payload is the time of the
 * write in milliseconds.
 */
const WRITE_THEN_NOTIFY = `
  with written as (insert into writes values (clock_timestamp()) returning write_time)
  select pg_notify('bench', (extract(epoch from write_time) * 1000)::text) from written`;

async function connect(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString });
  await client.connect();
  return client;
}
