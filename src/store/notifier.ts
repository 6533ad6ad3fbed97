import { setTimeout as sleep } from "node:timers/promises";
import { type Client, escapeIdentifier, escapeLiteral } from "pg";
import type { Logger } from "pino";
import { LIMITS } from "../model/limits.ts";
import { createDirectClient, endClient } from "./direct-client.ts";

/** Wakes listeners of this and other processes. */
export interface Notifier {
  /** Notifies the channel at once, then at most once per 10 ms; a call in between is not lost. */
  notifySoon(channel: string, payload?: string): void;
  close(): Promise<void>;
}

/**
 * Opens one connection for wake-ups, at the first of them.
 *
 * A wake-up is no more than a hint, since readers poll: one that fails is dropped, and the
 * connection, which does not wait for the disk, is opened again by the next one.
 */
export function createNotifier(options: { readonly url: string; readonly log: Logger }): Notifier {
  const wanted = new Set<string>(); // Statements: the same one is sent once.
  let client: Client | undefined;
  let running: Promise<void> | undefined;
  let closed = false;

  async function connected(): Promise<Client> {
    if (client) return client;
    client = await openClient(options.url, (ended) => {
      if (client === ended) client = undefined;
    });
    return client;
  }

  async function sendWanted(): Promise<void> {
    while (wanted.size > 0 && !closed) {
      const statements = [...wanted];
      wanted.clear();
      try {
        await (await connected()).query(statements.join(";"));
        await sleep(LIMITS.notifyIntervalMs, undefined, { ref: false });
      } catch (error) {
        options.log.debug({ problem: String(error) }, "wake-up not sent");
        await discardClient();
        await sleep(LIMITS.reconnectDelayMsMin, undefined, { ref: false });
      }
    }
    running = undefined;
  }

  async function discardClient(): Promise<void> {
    const discarded = client;
    client = undefined;
    if (discarded) await endClient(discarded);
  }

  return {
    notifySoon(channel, payload = "") {
      if (closed) return;
      wanted.add(`notify ${escapeIdentifier(channel)}, ${escapeLiteral(payload)}`);
      running ??= sendWanted();
    },
    async close() {
      closed = true;
      await running;
      await discardClient();
    },
  };
}

/** `onEnd` may come at any time, also before the client is open. */
async function openClient(url: string, onEnd: (ended: Client) => void): Promise<Client> {
  const client = createDirectClient({
    url,
    name: "signet notifier",
    queryTimeoutMs: LIMITS.databaseQueryTimeoutMs,
  });
  client.on("error", () => onEnd(client));
  client.on("end", () => onEnd(client));
  try {
    await client.connect();
    await client.query("set synchronous_commit = off");
    return client;
  } catch (error) {
    await endClient(client);
    throw error;
  }
}
