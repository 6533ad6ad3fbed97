import type { Logger } from "pino";
import { followPrepared, type LogRow, type LogStep, trimOutbox } from "../store/changes.ts";
import type { Database } from "../store/database.ts";

/** What one step of the reader brings to those who listen. */
export interface ReaderStep {
  readonly epoch: number;
  /** Whether history may have been taken back, or dropped unread, since the last step. */
  readonly epochChanged: boolean;
  readonly rows: readonly LogRow[];
}

/** The one reader of a process: it follows the log for every stream, cache and webhook. */
export interface ChangeReader {
  /** Calls `listener` with each step that brings something; it must not throw or wait. */
  onStep(listener: (step: ReaderStep) => void): void;
  /** Makes the next step happen now. Calls while a step is under way become one. */
  wake(): void;
  /**
   * Does the same after a commit of this process, which other processes are to learn of. What the
   * commit itself has numbered needs no step, if it follows what was read last.
   */
  wakeAfterCommit(numbered?: LogStep): void;
  /** The last position that it has read, over all Sites. */
  position(): number;
  /** The epoch in force, as of the last step. */
  epoch(): number;
  /**
   * Tells whether everything that was committed more than a second ago has been read: the last
   * step that saw the whole log began less than 750 ms ago.
   */
  isFresh(): boolean;
  /** Tells whether the last step failed: the database is away. */
  isAway(): boolean;
  /** Begins to read at the head of the log; resolves with the first step. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const ROWS_PER_STEP = 1_000;
const BUSY_POLL_MS = 25;
const IDLE_POLL_MS = 250;
/** How long after the last change polls are quick. */
const BUSY_MS = 1_000;
/** How long a step stands back at most while a commit of this process numbers changes. */
const STAND_BACK_MS = 25;
/** Another process numbers changes just now; they are there in a moment. */
const CONTENDED_POLL_MS = 2;
const FRESH_MS = 750;
const TRIM_MS = 60_000;
const OUTAGE_POLL_MS = 500;

/** Creates the reader. Polling is the truth; wake-ups only make it quick. */
export function createChangeReader({
  db,
  log,
  onNews = () => undefined,
}: {
  readonly db: Pick<Database, "reader" | "isNumbering">;
  readonly log: Logger;
  /** Called when the log has Changes that other readers may not know of; must not throw. */
  readonly onNews?: () => void;
}): ChangeReader {
  const across = db.reader;
  const listeners: ((step: ReaderStep) => void)[] = [];
  const stopping = new AbortController();
  const state = { epoch: 0, pos: 0, away: false };
  const times = { fresh: Number.NEGATIVE_INFINITY, change: 0, trim: 0 };
  let woken = false;
  let committed = false;
  let stepping = false;
  let standsBack = false;
  let interrupt: (() => void) | undefined;
  let running: Promise<void> = Promise.resolve();

  /** Takes one step; returns how long to wait before the next. */
  async function step(): Promise<number> {
    const beginMs = performance.now();
    if (beginMs - times.trim > TRIM_MS) await trim(beginMs);
    const found = await followPrepared(across, state.pos, ROWS_PER_STEP);
    deliver(found);
    // A commit of this process may have been numbered by somebody who tells nobody.
    if (found.sequenced > 0 || (committed && found.rows.length > 0)) {
      committed = false;
      onNews();
    }
    const last = found.rows.at(-1);
    const full = found.rows.length === ROWS_PER_STEP;
    state.pos = full && last ? last.pos : found.head;
    if (found.sequenced >= 0 && !full) times.fresh = beginMs;
    if (found.rows.length > 0) times.change = beginMs;
    if (full) return 0;
    if (found.sequenced < 0) return CONTENDED_POLL_MS;
    return beginMs - times.change < BUSY_MS ? BUSY_POLL_MS : IDLE_POLL_MS;
  }

  /** Takes what a commit has numbered, unless a step may bring it too; tells whether it has. */
  function take(numbered: LogStep): boolean {
    const [first, last] = [numbered.rows[0], numbered.rows.at(-1)];
    if (!first || !last || stepping) return false;
    if (numbered.epoch !== state.epoch || first.pos !== state.pos + 1) return false;
    deliver(numbered);
    state.pos = last.pos;
    times.change = performance.now();
    onNews();
    return true;
  }

  function deliver(found: LogStep): void {
    const [first] = found.rows;
    // A process that slept for longer than the log is kept: the positions of all Sites are dense.
    const missed = first !== undefined && first.pos > state.pos + 1;
    const epochChanged = state.epoch !== found.epoch || missed;
    state.epoch = found.epoch;
    if (!epochChanged && found.rows.length === 0) return;
    for (const listener of listeners)
      listener({ epoch: found.epoch, epochChanged, rows: found.rows });
  }

  async function trim(nowMs: number): Promise<void> {
    times.trim = nowMs;
    await trimOutbox(across);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await standBack();
      woken = false;
      stepping = true;
      const waitMs = await step().then(onBack, onAway);
      stepping = false;
      if (waitMs > 0 && !woken) await pause(waitMs);
    }
  }

  /** A step would only find that the commit numbers, and the commit could not be taken amid it. */
  async function standBack(): Promise<void> {
    if (!db.isNumbering()) return;
    standsBack = true;
    await pause(STAND_BACK_MS);
    standsBack = false;
  }

  function onBack(waitMs: number): number {
    if (state.away) log.info({}, "change reader is back");
    state.away = false;
    return waitMs;
  }

  function onAway(error: unknown): number {
    if (!state.away) log.warn({ err: error }, "change reader cannot reach the database");
    state.away = true;
    return OUTAGE_POLL_MS;
  }

  async function pause(waitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    interrupt = resolve;
    await promise;
    clearTimeout(timer);
    interrupt = undefined;
  }

  const wake = () => {
    woken = true;
    if (!standsBack || !db.isNumbering()) interrupt?.();
  };

  return {
    onStep: (listener) => void listeners.push(listener),
    wake,
    wakeAfterCommit(numbered) {
      if (!numbered || !take(numbered)) {
        committed = true;
        wake();
      } else if (standsBack) interrupt?.();
    },
    position: () => state.pos,
    epoch: () => state.epoch,
    isFresh: () => performance.now() - times.fresh < FRESH_MS,
    isAway: () => state.away,
    async start() {
      times.trim = performance.now();
      const { epoch, head } = await followPrepared(across, Number.MAX_SAFE_INTEGER, 1);
      state.epoch = epoch;
      state.pos = head;
      running = run();
    },
    async stop() {
      stopping.abort();
      wake();
      await running;
    },
  };
}
