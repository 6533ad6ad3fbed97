import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { LIMITS } from "../model/limits.ts";

/** A connection that is not of a pool: for one listener, for wake-ups, for an administrator. */
export function createDirectClient(options: {
  readonly url: string;
  readonly name: string;
  /** How long a statement may go without an answer; absent for as long as it takes. */
  readonly queryTimeoutMs?: number;
}): Client {
  const { url, name, queryTimeoutMs } = options;
  return new Client({
    connectionString: url,
    application_name: name,
    connectionTimeoutMillis: LIMITS.databaseConnectTimeoutMs,
    ...(queryTimeoutMs === undefined ? {} : { query_timeout: queryTimeoutMs }),
    keepAlive: true,
    keepAliveInitialDelayMillis: LIMITS.listenerProbeMs,
  });
}

/** Connects, lends the client to `work` and ends it; a loss rejects the statement under way. */
export async function withDirectClient<T>(
  options: { readonly url: string; readonly name: string },
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = createDirectClient(options);
  client.on("error", () => undefined); // the statement under way is rejected besides
  try {
    await client.connect();
    return await work(client);
  } finally {
    await endClient(client);
  }
}

/** Ends the connection; a server that does not answer is not waited for longer than 1 s. */
export async function endClient(client: Client): Promise<void> {
  const ended = client.end().catch(() => undefined);
  await Promise.race([ended, sleep(LIMITS.disconnectTimeoutMs, undefined, { ref: false })]);
}
