import { once } from "node:events";
import { Client } from "pg";
import { createSignetClient, type Subscription } from "../../src/client/index.ts";
import { createDataFolder } from "../../src/demo/data-folder.ts";
import { type Child, forkChild } from "../child-process.ts";
import { playRounds } from "../rounds.ts";
import type { Bench, Figure, Row } from "../row.ts";
import { percentile } from "../statistics.ts";
import { createWallClock } from "../wall-clock.ts";
import { type WriteOrder, type WriteReply, YARDSTICK_CHANNEL } from "../write-orders.ts";

const RATES = (process.env.L_RATES?.split(',').map(Number) ?? [1, 100, 1_000]) ;
const P50 = { share: 0.5, suffix: "", goal: 3 };
const P99 = { share: 0.99, suffix: ", p99", goal: 5 };

const PROGRAM = new URL("../signet-writes.ts", import.meta.url);
const ARRIVAL_MS_MAX = 10_000;

/**
 * How long a Change takes to a subscriber: from its commit, at the time that PostgreSQL notes for
 * it, until the client library delivers it. Beside it: from the commit of a row with a
 * notification until that has come to another connection to the same server.
 */
export const commitToSubscriber: Row = {
  names: RATES.flatMap((rate) => [P50, P99].map(({ suffix }) => nameOf(rate) + suffix)),
  async measure(bench) {
    const folder = await createDataFolder();
    bench.resources.defer(() => folder.remove());
    const writing = bench.resources.use(forkChild<WriteOrder, WriteReply>(PROGRAM));
    const { signet, bare } = await openEars(bench, writing, folder.path);
    const figures: Figure[] = [];
    for (const rate of RATES) {
      const intervalMs = 1_000 / rate;
      const pace = { count: Math.ceil(bench.roundMs / intervalMs), intervalMs };
      const delays = await playRounds(bench.rounds, {
        signet: () => measure(writing, signet, { type: "write", contender: "signet", ...pace }),
        bare: () => measure(writing, bare, { type: "write", contender: "bare", ...pace }),
      });
      for (const { share, suffix, goal } of [P50, P99]) {
        const [samples, beside] = [delays.signet, delays.bare].map((rounds) =>
          rounds.map((round) => percentile(round, share)),
        );
        const yardstick = { name: "LISTEN/NOTIFY", samples: beside ?? [] };
        figures.push({ row: nameOf(rate) + suffix, unit: "ms", samples: samples ?? [], yardstick, goal });
      }
    }
    return figures;
  },
};

function nameOf(rate: number): string {
  return `sync: commit to subscriber at ${rate.toLocaleString("en")}/s`;
}

/** Notes when what was written has come, by its id. */
interface Ear {
  hear(id: string): void;
  /** Resolves with the times, in milliseconds since 1970, when all have come. */
  untilHeard(ids: Iterable<string>): Promise<ReadonlyMap<string, number>>;
}

async function openEars(
  { resources }: Bench,
  writing: Child<WriteOrder, WriteReply>,
  dataDir: string,
) {
  const { started } = await writing.ask({ type: "start", dataDir });
  if (!started) throw new Error("the service did not say where it is");
  const client = createSignetClient({ url: started.url, key: started.siteKey });
  resources.defer(() => client.close());
  const listener = new Client({ connectionString: started.adminUrl });
  await listener.connect();
  resources.defer(() => listener.end());
  const [signet, bare] = [createEar(), createEar()];
  listener.on("notification", ({ payload }) => bare.hear(payload ?? ""));
  await listener.query(`listen ${YARDSTICK_CHANNEL}`);
  const subscription = client.subscribe({ start: "head" });
  const live = Promise.withResolvers<void>();
  follow(subscription, signet, live.resolve).catch(live.reject);
  await live.promise;
  return { signet, bare };
}

async function follow(subscription: Subscription, ear: Ear, onLive: () => void): Promise<void> {
  for await (const item of subscription) {
    if (item.type === "hello") onLive();
    if (item.type === "changes") for (const { user } of item.changes) ear.hear(user?.id ?? "");
  }
}

function createEar(): Ear {
  const wallMs = createWallClock();
  const times = new Map<string, number>();
  return {
    hear: (id) => void times.set(id, wallMs()),
    async untilHeard(ids) {
      for (const id of ids) {
        while(!times.has(id)) await new Promise((r) => setTimeout(r, 5));
      }
      return times;
    },
  };
}

async function measure(
  writing: Child<WriteOrder, WriteReply>,
  ear: Ear,
  order: WriteOrder,
): Promise<number[]> {
  const { commits } = await writing.ask(order);
  if (!commits) throw new Error("nothing was written");
  const times = await ear.untilHeard(commits.keys());
  return [...commits].map(([id, commitMs]) => (times.get(id) ?? Number.NaN) - commitMs);
}
