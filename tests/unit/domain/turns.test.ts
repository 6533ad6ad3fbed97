import { expect, test } from "vitest";
import { createTurns } from "../../../src/domain/turns.ts";

test("turns are taken by a few at a time, in the order in which they were asked for", async () => {
  const turns = createTurns(2);
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const began: number[] = [];
  const all = gates.map((gate, n) =>
    turns.run(async () => {
      began.push(n);
      await gate.promise;
    }),
  );
  await Promise.resolve();
  const first = [...began];
  gates[1]?.resolve();
  await all[1];
  await Promise.resolve();
  const second = [...began];
  for (const gate of gates) gate.resolve();
  await Promise.all(all);

  expect(first).toEqual([0, 1]);
  expect(second).toEqual([0, 1, 2]);
  expect(began).toEqual([0, 1, 2, 3, 4]);
  expect(turns.active()).toBe(0);
});

test("a turn that fails is given back", async () => {
  const turns = createTurns(1);
  const failing = turns.run(() => Promise.reject(new Error("away")));
  const next = turns.run(async () => "done");

  await expect(failing).rejects.toThrow("away");
  expect(await next).toBe("done");
});
