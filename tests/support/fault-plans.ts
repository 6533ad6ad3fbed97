import type { FaultPlan } from "./fault-run.ts";
import { type FaultName, type PlannedFault, planFaults } from "./fault-scene.ts";
import { createDice } from "./hostile-dice.ts";

const PROCESSES = 2;

/** Every kind of fault once, as soon as the one before is over; some 50 s in all. */
export function quickPlan(seed: number, kinds?: readonly FaultName[]): FaultPlan {
  return {
    changes: 0,
    writers: 6,
    bulkWriters: 1,
    refreshers: 4,
    users: 100,
    processes: PROCESSES,
    readers: { grpc: 1, connect: 1, polls: 1, memoryMirrors: 1, postgresMirrors: 1 },
    readerProcesses: 1,
    framesMax: 200,
    diskMegabytes: 384,
    callMsMax: 3_000,
    strikes: planFaults(createDice(seed), {
      rounds: 1,
      processes: PROCESSES,
      holdMsMax: 1_000,
      ...(kinds && { kinds }),
    }),
  };
}

/** Every kind of fault in each of many rounds, for up to eight seconds at a time. */
export function longPlan(seed: number, rounds: number, kinds?: readonly FaultName[]): FaultPlan {
  return {
    ...{
      changes: 0,
      writers: 12,
      bulkWriters: 2,
      refreshers: 16,
      users: 500,
      processes: PROCESSES,
    },
    readers: { grpc: 4, connect: 4, polls: 2, memoryMirrors: 2, postgresMirrors: 2 },
    readerProcesses: 2,
    framesMax: 500,
    diskMegabytes: 3_072,
    callMsMax: 3_000,
    strikes: planFaults(createDice(seed), {
      rounds,
      processes: PROCESSES,
      holdMsMax: 8_000,
      ...(kinds && { kinds }),
    }),
  };
}

/** So many kills of the service and of PostgreSQL, mixed evenly. */
export function planKills(serviceKills: number, postgresKills: number): readonly PlannedFault[] {
  const kills = serviceKills + postgresKills;
  return Array.from({ length: kills }, (_, n) => {
    const share = (done: number) => Math.floor((done * postgresKills) / kills);
    const kind = share(n + 1) > share(n) ? "PostgreSQL killed" : "service killed";
    return { kind, process: n % PROCESSES, holdMs: 0, stepSeconds: 0 };
  });
}
