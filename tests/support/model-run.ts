import { createGrpcTransport } from "@connectrpc/connect-node";
import fc from "fast-check";
import { openTestDatabase } from "./database.ts";
import { compareDigests, compareForeign, compareSite } from "./model-check.ts";
import type { Move } from "./model-draw.ts";
import { MOVES } from "./model-moves.ts";
import { createSite } from "./model-site-moves.ts";
import { pick, type World } from "./model-state.ts";
import { createServiceKeys, startService } from "./service.ts";

/** How long to go on, and from where. */
export interface ModelOptions {
  readonly seed: number;
  readonly runs: number;
  readonly movesMax: number;
  /** No further sequence is begun then, and none is made shorter. */
  readonly msMax: number;
  /** What a failure printed, to make the same again: where it is, and which of its moves count. */
  readonly path?: string | undefined;
  readonly replayPath?: string | undefined;
}

/** Two processes of the service, and how often each move was made. */
export interface ModelTrial extends AsyncDisposable {
  /** Draws sequences of moves, makes them, and compares; fails with the shortest that differs. */
  run(options: ModelOptions): Promise<void>;
  readonly played: ReadonlyMap<string, number>;
}

/** So many calls from one address are a flood to Signet, but not to these tests. */
const env = { SIGNET_RATE_LIMIT_PERCENT: "100000", LOG_LEVEL: "error" };
const SITES_AT_FIRST = 2;

/** Reads what a run is to be from the environment. */
export function modelOptions(defaults: ModelOptions): ModelOptions {
  const { MODEL_SEED, MODEL_RUNS, MODEL_MOVES, MODEL_PATH, MODEL_REPLAY } = process.env;
  return {
    ...defaults,
    seed: Number(MODEL_SEED ?? defaults.seed),
    runs: Number(MODEL_RUNS ?? defaults.runs),
    movesMax: Number(MODEL_MOVES ?? defaults.movesMax),
    path: MODEL_PATH,
    replayPath: MODEL_REPLAY,
  };
}

/** Starts two processes on a database of their own. Dispose of it at the end. */
export async function openModelTrial(): Promise<ModelTrial> {
  const database = await openTestDatabase();
  const keys = createServiceKeys();
  const options = { databaseUrl: database.appUrl, keys, env };
  const services = await Promise.all([startService(options), startService(options)]);
  const [first, second] = services.map(({ url }) => createGrpcTransport({ baseUrl: url }));
  const { operatorKey } = keys;
  const played = new Map<string, number>();

  async function openWorld(): Promise<World> {
    if (!first || !second) throw new Error("there are two processes");
    const world: World = { transports: [first, second], operatorKey, sites: [], moves: 0 };
    for (let n = 0; n < SITES_AT_FIRST; n += 1) await createSite(world);
    return world;
  }

  function commandOf(move: fc.Arbitrary<Move>) {
    return move.map(({ name, args, siteNumber, at }) => ({
      check: (world: Readonly<World>) => playAt(world, siteNumber, at) !== undefined,
      async run(world: World) {
        const play = playAt(world, siteNumber, at);
        if (!play) return;
        world.moves += 1;
        played.set(name, (played.get(name) ?? 0) + 1);
        await play.act();
        if (!play.site.gone) await compareSite(world, play.site);
      },
      toString: () => `${name}(${siteNumber}, ${fc.stringify(args)})`,
    }));
  }

  return {
    played,
    async run({ seed, runs, movesMax, msMax, path, replayPath }) {
      const commands = fc.commands(MOVES.map(commandOf), {
        maxCommands: movesMax,
        size: "max",
        ...(replayPath !== undefined && { replayPath }),
      });
      const property = fc.asyncProperty(commands, async (moves) => {
        const world = await openWorld();
        try {
          await fc.asyncModelRun(() => ({ model: world, real: undefined }), moves);
          for (const site of world.sites.filter(({ gone }) => !gone)) {
            await compareSite(world, site);
            await compareDigests(world, site);
            await compareForeign(world, site);
          }
        } finally {
          await Promise.all(world.sites.map(({ stream }) => stream[Symbol.asyncDispose]()));
        }
      });
      const limits = { numRuns: runs, interruptAfterTimeLimit: msMax };
      await fc.assert(property, { seed, ...limits, ...(path !== undefined && { path }) });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(services.map((service) => service[Symbol.asyncDispose]()));
      await database[Symbol.asyncDispose]();
    },
  };
}

/** Returns what a move comes to at the Site that its number chooses by now. */
function playAt(world: World, siteNumber: number, at: Move["at"]) {
  const site = pick(
    world.sites.filter(({ gone }) => !gone),
    siteNumber,
  );
  const act = site && at(world, site);
  return site && act && { site, act };
}
