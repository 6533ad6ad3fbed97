import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EDGES, hostileEdge } from "../support/hostile-edge.ts";
import { SMUGGLED, statusesOf } from "../support/hostile-http1.ts";
import { FLOODS, openFlood } from "../support/hostile-http2.ts";
import {
  type HostileTrial,
  openHostileTrial,
  runHostileInputs,
  tallyLine,
} from "../support/hostile-trial.ts";

/** The long form is in `tests/faults`, with the same inputs and more of them. */
const SEED = 20_261_121;
const INPUTS = 600;

let trial: HostileTrial;
beforeAll(async () => {
  trial = await openHostileTrial();
});
afterAll(() => trial[Symbol.asyncDispose]());

test.each(EDGES)("hostile inputs to %s are refused, and harm no one else", async (edge) => {
  using calls = hostileEdge(trial, edge, SEED);

  const tally = await runHostileInputs(trial, INPUTS, calls.send);

  expect(tally.faults, tallyLine(edge, tally)).toEqual([]);
  expect(tally.grownMegabytes).toBeLessThan(100);
  expect(trial.errors()).toEqual([]);
});

describe("a request of HTTP/1.1 that two readers might take differently", () => {
  test.each(SMUGGLED)("is refused, and nothing of it read as another: $name", async (smuggled) => {
    const bytes = Buffer.from(smuggled.bytes, "latin1");

    expect(await statusesOf(trial.service.port, bytes, 5_000)).toEqual(smuggled.statuses);
  });
});

describe("a flood of HTTP/2", () => {
  test.each(FLOODS)("costs no one else: $name", async ({ run }) => {
    const before = await trial.memory();
    const sockets = await Promise.all([1, 2, 3].map(() => openFlood(trial.service.port)));

    await Promise.all(sockets.map(run));

    await trial.callHonestly();
    for (const socket of sockets) socket.destroy();
    const after = await trial.memory();
    expect(after.pid).toBe(before.pid);
    expect(
      (after.heapUsed + after.external - before.heapUsed - before.external) / 2 ** 20,
    ).toBeLessThan(100);
    expect(trial.errors()).toEqual([]);
  });
});
