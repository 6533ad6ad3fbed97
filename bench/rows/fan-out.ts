import { setTimeout as sleep } from "node:timers/promises";
import { createDataFolder } from "../../src/demo/data-folder.ts";
import { type Child, forkChild } from "../child-process.ts";
import { fewRounds, playRounds } from "../rounds.ts";
import type { Bench, Figure, Row } from "../row.ts";
import { percentile } from "../statistics.ts";
import type { ClientOrder, ClientReply } from "../stream-clients.ts";
import type { ServedStreams, StreamAddress, StreamOrder, StreamReply } from "../stream-server.ts";

const SIZES = [1_000, 10_000] as const;
const MEMORY = "sync: memory per stream, of 10,000";
const MEMORY_BESIDE_BARE = `${MEMORY}, beside bare`;
const MEMORY_KIBIBYTES_MAX = 30;

const SIGNET = new URL("../signet-streams.ts", import.meta.url);
const BARE = new URL("../yardsticks/bare-streams.ts", import.meta.url);
const CLIENTS = new URL("../stream-clients.ts", import.meta.url);
/** Batches come now and then: without pauses only the yardstick, which has no database, is warm. */
const PAUSE_MS = 25;
/** With one alone, the clients would be the slowest part. */
const CLIENT_PROCESSES = 2;

/**
 * One batch of Changes to many streams, from when the process has read it from the log until the
 * last byte has come to the last client, beside a server that writes the same bytes to as many
 * streams and does nothing else.
 */
export const fanOut: Row = {
  names: [...SIZES.map(nameOf), MEMORY, MEMORY_BESIDE_BARE],
  async measure(bench) {
    const clients = Array.from({ length: CLIENT_PROCESSES }, () =>
      bench.resources.use(forkChild<ClientOrder, ClientReply>(CLIENTS)),
    );
    const folder = await createDataFolder();
    bench.resources.defer(() => folder.remove());
    const signet = await startAudience(bench, clients, SIGNET, {
      contender: "signet",
      dataDir: folder.path,
    });
    const sample = await signet.takeSample();
    const bare = await startAudience(bench, clients, BARE, { contender: "bare", ...sample });
    await bare.takeSample();
    const figures: Figure[] = [];
    const ms = bench.roundMs / SIZES.length;
    for (const size of SIZES) {
      await signet.grow(size);
      await bare.grow(size);
      const samples = await playRounds(fewRounds(bench.rounds), {
        signet: () => signet.framesPerSecond(ms),
        bare: () => bare.framesPerSecond(ms),
      });
      const yardstick = { name: "bare node:http2", samples: samples.bare };
      const row = nameOf(size);
      figures.push({ row, unit: "frames/s", samples: samples.signet, yardstick, goal: 0.7 });
    }
    figures.push(...(await memoryFigures(signet, bare)));
    await Promise.all([signet.leave(), bare.leave()]);
    return figures;
  },
};

function nameOf(streams: number): string {
  return `sync: fan-out to ${streams.toLocaleString("en")} streams`;
}

/** A server and all who listen to it. */
interface Audience {
  /** Opens a stream for each process of clients; returns what one of them got. */
  takeSample(): Promise<{ readonly first: Uint8Array; readonly batch: Uint8Array }>;
  /** Opens streams until there are so many. */
  grow(streams: number): Promise<void>;
  /** How many frames a second reach clients while a batch goes out; the median batch. */
  framesPerSecond(ms: number): Promise<number>;
  /** What the server's process has grown by since it had but a sample of streams. */
  kibibytesPerStream(): Promise<number>;
  /** Closes all streams. */
  leave(): Promise<void>;
}

async function startAudience(
  { resources }: Bench,
  clients: readonly Child<ClientOrder, ClientReply>[],
  program: URL,
  served: ServedStreams,
): Promise<Audience> {
  const server = resources.use(forkChild<StreamOrder, StreamReply>(program));
  const { address } = await server.ask({ type: "start", served });
  if (!address) throw new Error("the server did not say where it is");
  const audience = served.contender;
  const state = { streams: 0, number: 0, emptyBytes: 0 };

  async function open(streams: number): Promise<readonly ClientReply[]> {
    const each = (streams - state.streams) / clients.length;
    const replies = await Promise.all(
      clients.map((client, n) => client.ask(openOrder(audience, address, each, n))),
    );
    state.streams = streams;
    state.number = 0;
    return replies;
  }

  /** Writes a batch; returns how long it took to reach everybody, and what one client got. */
  async function deliver() {
    state.number += 1;
    const { number } = state;
    const replies = clients.map((client) => client.ask({ type: "await batch", audience, number }));
    const { writtenMs = 0 } = await server.ask({ type: "write" });
    const arrivals = await Promise.all(replies);
    const receivedMs = Math.max(...arrivals.map((arrival) => arrival.receivedMs ?? Number.NaN));
    return { ms: receivedMs - writtenMs, batch: arrivals[0]?.batch };
  }

  return {
    async takeSample() {
      const [opened] = await open(clients.length);
      const { batch } = await deliver();
      state.emptyBytes = await measureMemory(server);
      if (!opened?.first || !batch) throw new Error("no frame has come");
      return { first: opened.first, batch };
    },
    async grow(streams) {
      await open(streams);
    },
    async framesPerSecond(ms) {
      const untilMs = performance.now() + ms;
      const took: number[] = [];
      do {
        await sleep(PAUSE_MS);
        took.push((await deliver()).ms);
      } while (performance.now() < untilMs);
      return state.streams / (percentile(took, 0.5) / 1_000);
    },
    async kibibytesPerStream() {
      const bytes = (await measureMemory(server)) - state.emptyBytes;
      return bytes / 1_024 / state.streams;
    },
    async leave() {
      await Promise.all(clients.map((client) => client.ask({ type: "leave", audience })));
    },
  };
}

function openOrder(
  audience: string,
  address: StreamAddress | undefined,
  streams: number,
  n: number,
): ClientOrder {
  if (!address) throw new Error("there is no address");
  return { type: "open", audience, address, streams, prefix: `clients-${n}` };
}

async function measureMemory(server: Child<StreamOrder, StreamReply>): Promise<number> {
  const { residentBytes = Number.NaN } = await server.ask({ type: "measure memory" });
  return residentBytes;
}

/** Memory is measured once: it does not come and go with what else the machine does. */
async function memoryFigures(signet: Audience, bare: Audience): Promise<readonly Figure[]> {
  const samples = [await signet.kibibytesPerStream()];
  const most = { name: "the most it may be", samples: [MEMORY_KIBIBYTES_MAX] };
  const beside = { name: "bare node:http2", samples: [await bare.kibibytesPerStream()] };
  return [
    { row: MEMORY, unit: "KiB", samples, yardstick: most, goal: 1 },
    { row: MEMORY_BESIDE_BARE, unit: "KiB", samples, yardstick: beside },
  ];
}
