import { setTimeout as sleep } from "node:timers/promises";
import { createChangeGenerator } from "./change-generator.ts";
import type { FaultProxy, LinkState, Side } from "./fault-proxy.ts";
import type { FaultName, FaultScene, PlannedFault, Strike } from "./fault-scene.ts";

/** What is done to connections. */
export const linkStrikes = {
  "clients in a black hole": turned("clients", "black_hole"),
  "database in a black hole": turned("database", "black_hole"),
  "clients half-open": halfOpened("clients", "near"),
  "service half-open": halfOpened("clients", "far"),
  "database half-open": halfOpened("database", "near"),
  "answers lost": turned("clients", "answers_lost"),
  "commits unanswered": loseCommits,
  "readers slow": turned("clients", "slow", flood),
} as const satisfies Partial<Record<FaultName, Strike>>;

/** Within it the writers have commits under way again. */
const PAUSE_MS = 500;
const LOSSES = 3;

type Place = "clients" | "database";

/** Their Changes are more than a client has room for, so that its stream takes no more of them. */
const FLOOD_USERS = 10_000;

function turned(place: Place, state: LinkState, meanwhile = async (_: FaultScene) => {}): Strike {
  return async (scene, fault) => {
    const proxy = proxyAt(scene, fault, place);
    proxy.turn(state);
    await Promise.all([sleep(fault.holdMs), meanwhile(scene)]).finally(() => proxy.turn("sound"));
    if (proxy.touched() === 0) throw new Error("no connection was touched");
  };
}

async function flood({ signet }: FaultScene): Promise<void> {
  await createChangeGenerator(signet.db, signet.siteId).fill(FLOOD_USERS);
}

/**
 * Few commits are under way when it begins, and those alone lose their answers: so it begins three
 * times. It ends before the service gives up waiting, or a commit that is made again is lost too.
 */
async function loseCommits(
  scene: FaultScene,
  fault: PlannedFault,
  signal: AbortSignal,
): Promise<void> {
  const lose = turned("database", "answers_lost");
  const holdMs = fault.holdMs / LOSSES;
  for (let n = 0; n < LOSSES; n += 1) {
    await lose(scene, { ...fault, holdMs }, signal);
    await sleep(PAUSE_MS);
  }
}

function halfOpened(place: Place, alive: Side): Strike {
  return async (scene, fault) => {
    const left = proxyAt(scene, fault, place).halfOpen(alive);
    if (left === 0) throw new Error("there was no connection");
    await sleep(fault.holdMs);
  };
}

function proxyAt({ signet }: FaultScene, { process }: PlannedFault, place: Place): FaultProxy {
  const links = signet.links[process];
  if (!links) throw new Error(`no proxy stands at process ${process}`);
  return links[place];
}
