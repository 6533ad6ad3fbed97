import { expect, test, vi } from "vitest";
import { createCrashHandler } from "../../../src/server/shutdown.ts";

const silent = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };

test("a crash drains first and then exits with 1", async () => {
  const order: string[] = [];
  const crash = createCrashHandler({
    log: silent,
    drain: async () => void order.push("drained"),
    exit: (code) => void order.push(`exit ${code}`),
  });

  crash(new Error("a bug"));
  await vi.waitFor(() => expect(order).toHaveLength(2));

  expect(order).toEqual(["drained", "exit 1"]);
});

test("a second crash does not wait for the drain", () => {
  const exit = vi.fn();
  const crash = createCrashHandler({
    log: silent,
    drain: () => new Promise(() => undefined),
    exit,
  });

  crash(new Error("a bug"));
  crash(new Error("another"));

  expect(exit.mock.calls).toEqual([[1]]);
});

test("a drain that hangs is not waited for for ever", async () => {
  const exit = vi.fn();
  const drain = () => new Promise<void>(() => undefined);
  const crash = createCrashHandler({ log: silent, drain, exit, graceMs: 20 });

  crash(new Error("a bug"));

  await vi.waitFor(() => expect(exit).toHaveBeenCalledWith(1));
});
