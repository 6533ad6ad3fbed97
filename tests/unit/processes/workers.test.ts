import { describe, expect, test } from "vitest";
import { StartFailedError } from "../../../src/processes/life.ts";
import type { WorkerEnd, WorkerProcess } from "../../../src/processes/worker-process.ts";
import { createWorkers } from "../../../src/processes/workers.ts";
import { rejection, until } from "../../support/waiting.ts";

/** A process that the test lets become ready, and end. */
interface ScriptedWorker extends WorkerProcess {
  becomeReady(): void;
  end(end?: Partial<WorkerEnd>): void;
}

function scriptedWorker(id: number, isDrainSlow: boolean): ScriptedWorker {
  const ready = Promise.withResolvers<boolean>();
  const ended = Promise.withResolvers<WorkerEnd>();
  let isReady = false;
  const end = (how: Partial<WorkerEnd> = {}): void => {
    isReady = false;
    ready.resolve(false);
    ended.resolve({ exitCode: undefined, signal: undefined, ...how });
  };
  return {
    id,
    ready: ready.promise,
    isReady: () => isReady,
    ended: ended.promise,
    order: () => undefined,
    async stop() {
      if (!isDrainSlow) end({ exitCode: 0 });
      await ended.promise;
    },
    becomeReady() {
      isReady = true;
      ready.resolve(true);
    },
    end,
  };
}

/** Workers of which the test has every process in hand. */
function openTrial(count: number, { isDrainSlow = false } = {}) {
  const forked: ScriptedWorker[] = [];
  const told: { readonly delayMs?: number; readonly message: string }[] = [];
  const note = (fields: object | string, message = "") =>
    void told.push(typeof fields === "string" ? { message: fields } : { ...fields, message });
  const fork = () => {
    const worker = scriptedWorker(forked.length + 1, isDrainSlow);
    forked.push(worker);
    return worker;
  };
  const log = { info: note, error: note };
  const workers = createWorkers({ count, fork, log, delayMsMin: 1 });
  const nth = (id: number) => until(() => forked[id - 1]);
  return { workers, nth, forked, told, idsReady: () => idsOf(forked.filter((w) => w.isReady())) };
}

/** Two workers that serve. */
async function openServing(options: { readonly isDrainSlow?: boolean } = {}) {
  const trial = openTrial(2, options);
  const started = trial.workers.start();
  (await trial.nth(1)).becomeReady();
  (await trial.nth(2)).becomeReady();
  await started;
  return trial;
}

describe("the start of workers", () => {
  test("begins with one, and with the others once it is ready", async () => {
    const { workers, nth, forked } = openTrial(3);
    const started = workers.start();
    await Promise.resolve();
    const before = forked.length;

    (await nth(1)).becomeReady();
    (await nth(2)).becomeReady();
    (await nth(3)).becomeReady();
    await started;

    expect(before).toBe(1);
    expect(idsOf(workers.running())).toEqual([1, 2, 3]);
  });

  test.each([
    [{ exitCode: 2 }, 2],
    [{ signal: "SIGKILL" }, 1],
  ])("fails where the first has ended by %j, with the exit code %i", async (end, exitCode) => {
    const { workers, nth, forked } = openTrial(2);
    const failing = rejection(workers.start());

    (await nth(1)).end(end);
    const error = await failing;

    expect(error).toBeInstanceOf(StartFailedError);
    expect(error).toMatchObject({ exitCode });
    expect(forked).toHaveLength(1);
  });
});

describe("a worker that dies", () => {
  test("is followed by another, each time later", async () => {
    const { workers, nth, told } = await openServing();

    for (const id of [2, 3, 4]) (await nth(id)).end({ signal: "SIGKILL" });
    (await nth(5)).becomeReady();

    const delays = told.map(({ delayMs }) => delayMs).filter((delayMs) => delayMs !== undefined);
    expect(delays).toEqual([2, 4, 8]);
    expect(idsOf(workers.running())).toEqual([1, 5]);
  });

  test("is not followed once all are to end", async () => {
    const { workers, nth, forked } = await openServing();

    const stopped = workers.stop();
    (await nth(1)).end({ signal: "SIGKILL" });
    await stopped;

    expect(workers.running()).toEqual([]);
    expect(forked).toHaveLength(2);
  });
});

describe("the replacement of workers", () => {
  test("has each serve until another is ready, one after the other", async () => {
    const { workers, nth, idsReady } = await openServing();

    workers.replace();
    const third = await nth(3);
    const whileThirdStarts = idsReady();
    third.becomeReady();
    const fourth = await nth(4);
    const whileFourthStarts = idsReady();
    fourth.becomeReady();
    await until(() => workers.running().length === 2);

    expect(whileThirdStarts).toEqual([1, 2]);
    expect(whileFourthStarts).toEqual([2, 3]);
    expect(idsReady()).toEqual([3, 4]);
  });

  test("ends with the first that does not start, and leaves the others", async () => {
    const { workers, nth, told, idsReady } = await openServing();

    workers.replace();
    (await nth(3)).end({ exitCode: 1 });
    await until(() => told.some(({ message }) => message.includes("does not start")));

    expect(idsReady()).toEqual([1, 2]);
    expect(idsOf(workers.running())).toEqual([1, 2]);
  });

  test("is done once more where it is asked for meanwhile, however often", async () => {
    const { workers, nth, forked, idsReady } = await openServing();

    workers.replace();
    const third = await nth(3);
    for (let times = 0; times < 3; times += 1) workers.replace();
    third.becomeReady();
    for (const id of [4, 5, 6]) (await nth(id)).becomeReady();
    await until(() => workers.running().length === 2);
    await new Promise(setImmediate);

    expect(idsReady()).toEqual([5, 6]);
    expect(forked).toHaveLength(6);
  });

  test("is left where all are to end, and what has been started ends as well", async () => {
    const { workers, nth, forked } = await openServing({ isDrainSlow: true });

    workers.replace();
    await nth(3);
    const stopped = workers.stop();
    for (const worker of forked) worker.end({ exitCode: 0 });
    await stopped;

    expect(workers.running()).toEqual([]);
    expect(forked).toHaveLength(3);
  });
});

function idsOf(workers: readonly WorkerProcess[]): number[] {
  return workers.map(({ id }) => id);
}
