import { createDice } from "./hostile-dice.ts";
import { createEndpointCalls } from "./hostile-endpoints.ts";
import { judgeHttp1, malformedHttp1 } from "./hostile-http1.ts";
import { judgeHttp2, malformedHttp2 } from "./hostile-http2.ts";
import type { HostileTrial, SendInput } from "./hostile-trial.ts";

/** What is sent below the RPCs. */
export const EDGES = ["endpoints", "HTTP/1.1", "HTTP/2"] as const;
/** One of them. */
export type Edge = (typeof EDGES)[number];

/** Sends inputs to one part of the edge; the n-th of a seed is always the same. */
export function hostileEdge(trial: HostileTrial, edge: Edge, seed: number) {
  const endpoints = createEndpointCalls(trial);
  const { port } = trial.service;
  const send: SendInput = async (n) => {
    const dice = createDice(seed + Math.imul(n, 0x9e3779b1));
    const what = `${edge} ${n}`;
    if (edge === "endpoints") return await endpoints.send(dice);
    if (edge === "HTTP/1.1") return { ...(await judgeHttp1(port, malformedHttp1(dice))), what };
    return { ...(await judgeHttp2(port, malformedHttp2(dice))), what };
  };
  return { send, [Symbol.dispose]: () => endpoints[Symbol.dispose]() };
}
