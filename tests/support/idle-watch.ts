import { createSignetClient } from "../../src/client/index.ts";
import { startIdleProxy } from "./idle-proxy.ts";

/** What became of a subscription behind a proxy that cuts idle connections. */
export interface IdleOutcome {
  readonly connections: number;
  readonly cuts: number;
  /** How often it was lost. */
  readonly losses: number;
}

/** Follows a Site in which nothing changes, through such a proxy, for a while. */
export async function watchThroughProxy(
  { port, key }: { readonly port: number; readonly key: string },
  times: {
    readonly idleMs: number;
    readonly watchMs: number;
    readonly heartbeatSeconds?: number;
  },
): Promise<IdleOutcome> {
  await using proxy = await startIdleProxy(port, times.idleMs);
  const client = createSignetClient({ url: proxy.url, key });
  const { heartbeatSeconds } = times;
  const signal = AbortSignal.timeout(times.watchMs);
  const subscription = client.subscribe({ heartbeatSeconds, signal, clientId: proxy.url });
  let losses = 0;
  const noting = (async () => {
    for await (const { type } of subscription.status) if (type === "reconnecting") losses += 1;
  })();
  for await (const _item of subscription); // Until its time is over.
  await noting;
  client.close();
  return { connections: proxy.connections(), cuts: proxy.cuts(), losses };
}
