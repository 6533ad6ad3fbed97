import { setTimeout as sleep } from "node:timers/promises";
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
  "commits unanswered": turned("database", "answers_lost"),
  "readers slow": turned("clients", "slow"),
} as const satisfies Partial<Record<FaultName, Strike>>;

type Place = "clients" | "database";

function turned(place: Place, state: LinkState): Strike {
  return async (scene, fault) => {
    const proxy = proxyAt(scene, fault, place);
    proxy.turn(state);
    await sleep(fault.holdMs);
    proxy.turn("sound");
    if (proxy.touched() === 0) throw new Error("no connection was touched");
  };
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
