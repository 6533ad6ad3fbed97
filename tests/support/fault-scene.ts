import type { FaultClock } from "./fault-clock.ts";
import { canMount, type FaultDisk } from "./fault-disk.ts";
import type { FaultMailbox } from "./fault-mailbox.ts";
import type { FaultVersions } from "./fault-versions.ts";
import type { Dice } from "./hostile-dice.ts";
import type { KillableSignet } from "./killable-signet.ts";

/** All that faults are done to. */
export interface FaultScene {
  readonly signet: KillableSignet;
  /** The clock of each process. */
  readonly clocks: readonly FaultClock[];
  /** The mail server of each process. */
  readonly mailboxes: readonly FaultMailbox[];
  /** To whom mails must have been delivered in the end. */
  readonly mailed: string[];
  /** Undefined: PostgreSQL is on one that cannot be filled. */
  readonly disk: FaultDisk | undefined;
  readonly versions: FaultVersions;
  /** What the clients of the run do as long as it says so. */
  readonly habits: { twice: boolean };
}

/** One fault of a plan: everything about it that chance decides. */
export interface PlannedFault {
  readonly kind: FaultName;
  /** Which process of the service, where it strikes one. */
  readonly process: number;
  /** How long it lasts, where it does not end by itself. */
  readonly holdMs: number;
  /** By how much a clock is set ahead, or back. */
  readonly stepSeconds: number;
}

/** Every kind of fault; they read as `3 × …` in a summary. */
export const FAULT_NAMES = [
  "worker killed during a job",
  "service killed",
  "PostgreSQL killed",
  "PostgreSQL restarted",
  "PostgreSQL frozen",
  "backends terminated",
  "connections refused",
  "pool exhausted",
  "clients in a black hole",
  "database in a black hole",
  "clients half-open",
  "service half-open",
  "database half-open",
  "answers lost",
  "commits unanswered",
  "requests duplicated",
  "readers slow",
  "disk full",
  "clock stepped",
  "rolling upgrade",
] as const;

/** Kinds that this machine allows. */
export function possibleFaults(): readonly FaultName[] {
  return canMount() ? FAULT_NAMES : FAULT_NAMES.filter((name) => name !== "disk full");
}

/** A kind of fault. */
export type FaultName = (typeof FAULT_NAMES)[number];

/** How a kind of fault is done; ends when its cause is gone, and fails if it touched nothing. */
export type Strike = (scene: FaultScene, fault: PlannedFault, signal: AbortSignal) => Promise<void>;

/** How long, and how often, a plan strikes. */
export interface PlanOptions {
  /** How often each kind comes. */
  readonly rounds: number;
  readonly processes: number;
  readonly holdMsMax: number;
  /** By default all that are possible. */
  readonly kinds?: readonly FaultName[];
}

/** By less than this nobody notices that something has stopped. */
const HOLD_MS_MIN = 800;
/** Twice the time for which a used refresh token still answers: the database alone tells that. */
const STEP_SECONDS_MAX = 20;

/** Makes the plan of a seed: in each round every kind once, in an order of its own. */
export function planFaults(dice: Dice, options: PlanOptions): readonly PlannedFault[] {
  const { rounds, processes, holdMsMax, kinds = possibleFaults() } = options;
  return Array.from({ length: rounds }).flatMap(() =>
    shuffle(dice, kinds).map((kind) => ({
      kind,
      process: dice.below(processes),
      holdMs: HOLD_MS_MIN + dice.below(Math.max(1, holdMsMax - HOLD_MS_MIN)),
      stepSeconds: (dice.chance(0.5) ? 1 : -1) * (2 + dice.below(STEP_SECONDS_MAX - 1)),
    })),
  );
}

/** The first kind stays first: its job comes back while the other faults strike. */
function shuffle(dice: Dice, [first, ...rest]: readonly FaultName[]): FaultName[] {
  const shuffled: FaultName[] = first ? [first] : [];
  while (rest.length > 0) shuffled.push(...rest.splice(dice.below(rest.length), 1));
  return shuffled;
}
