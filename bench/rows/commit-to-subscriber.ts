import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { createSignetClient, type Subscription } from "../../src/client/index.ts";
import { createDataFolder } from "../../src/demo/data-folder.ts";
import { type Child, forkChild } from "../child-process.ts";
import { fewRounds, playRounds } from "../rounds.ts";
import type { Bench, Figure, Row } from "../row.ts";
import { percentile } from "../statistics.ts";
import { createWallClock, type WallClock } from "../wall-clock.ts";
import { type WriteOrder, type WriteReply, YARDSTICK_CHANNEL } from "../write-orders.ts";

/** Writes a second. */
const RATES = [1, 100, 1_000] as const;
const SLOW_RATE = 1;
/** The part of a round for each of the slow writes, which take longer than a round: 8 of 3 s. */
const SLOW_WRITE_MS = 375;
const P50 = { share: 0.5, suffix: "", goal: 3 };
const P99 = { share: 0.99, suffix: ", p99", goal: 5 };

const PROGRAM = new URL("../signet-writes.ts", import.meta.url);
const ARRIVAL_MS_MAX = 10_000;
const POLL_MS = 5;

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
      const count = Math.ceil(bench.roundMs / Math.min(2 * intervalMs, SLOW_WRITE_MS));
      const pace = { count, intervalMs };
      const rounds = rate === SLOW_RATE ? fewRounds(bench.rounds) : bench.rounds;
      const delays = await playRounds(rounds, {
        signet: () => measure(writing, signet, { type: "write", contender: "signet", ...pace }),
        bare: () => measure(writing, bare, { type: "write", contender: "bare", ...pace }),
      });
      figures.push(...[P50, P99].map((level) => figureOf(rate, level, delays)));
    }
    return figures;
  },
};

function figureOf(
  rate: number,
  { share, suffix, goal }: typeof P50,
  delays: Readonly<Record<"signet" | "bare", readonly (readonly number[])[]>>,
): Figure {
  const level = (rounds: readonly (readonly number[])[]) =>
    rounds.map((round) => percentile(round, share));
  const yardstick = { name: "LISTEN/NOTIFY", samples: level(delays.bare) };
  return { row: nameOf(rate) + suffix, unit: "ms", samples: level(delays.signet), yardstick, goal };
}

function nameOf(rate: number): string {
  return `sync: commit to subscriber at ${rate.toLocaleString("en")}/s`;
}

/** Notes when what was written has come, by its id. */
interface Ear {
  /** Sets the clock anew, since it drifts. */
  setClock(wallMs: WallClock): void;
  hear(id: string): void;
  /** Returns when each has come, in milliseconds since 1970. @throws if one does not. */
  untilHeard(ids: readonly string[]): Promise<readonly number[]>;
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
  let wallMs: WallClock = Date.now;
  const times = new Map<string, number>();
  return {
    setClock(clock) {
      wallMs = clock;
    },
    hear: (id) => void times.set(id, wallMs()),
    async untilHeard(ids) {
      const untilMs = performance.now() + ARRIVAL_MS_MAX;
      while (!ids.every((id) => times.has(id))) {
        if (performance.now() > untilMs) throw new Error("something written has not come in time");
        await sleep(POLL_MS);
      }
      return ids.map((id) => times.get(id) ?? Number.NaN);
    },
  };
}

/** Returns how long each write took, from its commit on. */
async function measure(
  writing: Child<WriteOrder, WriteReply>,
  ear: Ear,
  order: WriteOrder,
): Promise<number[]> {
  ear.setClock(createWallClock());
  const { commits = [] } = await writing.ask(order);
  if (commits.length === 0) throw new Error("nothing was written");
  const times = await ear.untilHeard(commits.map(({ id }) => id));
  return times.map((timeMs, n) => timeMs - (commits[n]?.commitMs ?? Number.NaN));
}
