import { setTimeout as sleep } from "node:timers/promises";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type ImportOptionsSchema,
  type ImportResult,
  type ImportRow,
  ImportRowSchema,
  type ImportUsersRequestSchema,
} from "../../gen/signet/v1/user_service_pb.ts";
import { namingLostConnection, retryDelayMsOf } from "../client/errors.ts";
import type { SignetClient } from "../client/index.ts";
import type { FileRow } from "./import-formats.ts";

/** What an import works with. */
export interface ImportRun {
  readonly client: Pick<SignetClient, "users">;
  readonly options: MessageInitShape<typeof ImportOptionsSchema>;
  readonly rows: AsyncIterator<FileRow>;
  /** Told of each row that was sent, in the order of the file. */
  readonly onResult: (row: FileRow, result: ImportResult) => void;
  /** Told of a row that cannot be sent. */
  readonly onRefusal: (row: FileRow, field: string, problem: string) => void;
  /** Told of a connection that was lost. */
  readonly onRetry: (error: unknown, delayMs: number) => void;
}

const ROWS_MAX = 200;
/** Room for what is around the rows, below the 64 KiB of a message. */
const MESSAGE_BYTES_MAX = 62 * 1024;
const ROW_BYTES_AROUND = 8;
/** Rows that were sent and have no result yet: what a lost connection costs, and no more memory. */
const WAITING_MAX = 2_000;
/** Losses in a row, without a result in between. */
const ATTEMPTS_MAX = 10;
const DELAY_MS_MAX = 10_000;

/** A row as it was sent. */
interface Sent {
  readonly row: FileRow;
  readonly message: ImportRow;
  readonly bytes: number;
}

/**
 * Sends rows until their end. When the connection is lost it is made again, and what has no result
 * is sent again: a row that was imported all the same is unchanged then.
 *
 * @throws {ConnectError} where Signet refuses the import, or is away for too long.
 */
export async function runImport(run: ImportRun): Promise<void> {
  const waiting: Sent[] = [];
  const source = createSource(run, waiting);
  for (let losses = 0; ; ) {
    const before = source.results;
    try {
      await sendAll(run, source, waiting);
      return;
    } catch (thrown) {
      // A connection that is lost amid a stream shows as many things.
      const error = namingLostConnection(thrown, false);
      losses = source.results > before ? 1 : losses + 1;
      if (!isPassing(error) || losses === ATTEMPTS_MAX) throw error;
      const delayMs = Math.max(retryDelayMsOf(error), Math.min(100 * 2 ** losses, DELAY_MS_MAX));
      run.onRetry(error, delayMs);
      await sleep(delayMs);
    }
  }
}

interface Source {
  /** Rows that a result has come for. */
  results: number;
  isOver(): boolean;
  /** Returns the next row, which waits for its result from then on; undefined at the end. */
  next(): Promise<Sent | undefined>;
  /** Resolves once no row is being read, and what was read waits. */
  settled(): Promise<unknown>;
}

/** Reads what can be sent, and tells of what cannot. */
function createSource({ rows, onRefusal }: ImportRun, waiting: Sent[]): Source {
  let isOver = false;
  let reading: Promise<unknown> = Promise.resolve();

  async function read(): Promise<Sent | undefined> {
    for (;;) {
      const { value: row, done } = await rows.next();
      if (done === true) {
        isOver = true;
        return undefined;
      }
      const sent = toSent(row, onRefusal);
      if (!sent) continue;
      waiting.push(sent);
      return sent;
    }
  }

  return {
    results: 0,
    isOver: () => isOver,
    next() {
      const next = read();
      reading = next.catch(() => undefined);
      return next;
    },
    settled: () => reading,
  };
}

function toSent(row: FileRow, onRefusal: ImportRun["onRefusal"]): Sent | undefined {
  const { refusal } = row;
  if (refusal || !row.row) {
    onRefusal(row, refusal?.field ?? "", refusal?.problem ?? "cannot be read");
    return undefined;
  }
  const message = create(ImportRowSchema, { ...row.row, row: row.number });
  const bytes = toBinary(ImportRowSchema, message).length + ROW_BYTES_AROUND;
  if (bytes <= MESSAGE_BYTES_MAX) return { row, message, bytes };
  onRefusal(row, "", `has ${bytes} bytes, more than a row may have`);
  return undefined;
}

async function sendAll(run: ImportRun, source: Source, waiting: Sent[]): Promise<void> {
  const signal = createSignal();
  const requests = messages(run, source, waiting, signal);
  try {
    for await (const { results } of run.client.users.importUsers(requests)) {
      for (const result of results) takeResult(run, waiting, result);
      source.results += results.length;
      signal.wake();
    }
  } finally {
    signal.end();
    // Or else a row that is being read would wait behind the back of the next attempt.
    await source.settled();
  }
  if (waiting.length > 0 || !source.isOver()) {
    throw new ConnectError("the answer ended before the last row", Code.Unavailable);
  }
}

/** Results come in the order of the rows. */
function takeResult(run: ImportRun, waiting: Sent[], result: ImportResult): void {
  const sent = waiting.shift();
  if (sent?.message.row !== result.row)
    throw new Error(`a result for row ${result.row} was not due`);
  run.onResult(sent.row, result);
}

async function* messages(
  { options }: ImportRun,
  source: Source,
  waiting: Sent[],
  signal: ReturnType<typeof createSignal>,
): AsyncGenerator<MessageInitShape<typeof ImportUsersRequestSchema>> {
  yield { options };
  for (const batch of batchesOf(waiting)) yield { rows: batch.map(({ message }) => message) };
  let batch: Sent[] = [];
  let bytes = 0;
  while (!source.isOver() && !signal.isOver()) {
    while (waiting.length >= WAITING_MAX && !signal.isOver()) await signal.woken();
    const sent = await source.next();
    const isFull = batch.length === ROWS_MAX || (sent && bytes + sent.bytes > MESSAGE_BYTES_MAX);
    if (batch.length > 0 && (isFull || !sent)) {
      yield { rows: batch.map(({ message }) => message) };
      [batch, bytes] = [[], 0];
    }
    if (sent) {
      batch.push(sent);
      bytes += sent.bytes;
    }
  }
  if (batch.length > 0) yield { rows: batch.map(({ message }) => message) };
}

function* batchesOf(sent: readonly Sent[]): Generator<Sent[]> {
  let batch: Sent[] = [];
  let bytes = 0;
  for (const one of sent) {
    if (batch.length === ROWS_MAX || (batch.length > 0 && bytes + one.bytes > MESSAGE_BYTES_MAX)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(one);
    bytes += one.bytes;
  }
  if (batch.length > 0) yield batch;
}

/** Wakes whoever waits for results, also when none will come. */
function createSignal() {
  let isOver = false;
  let resolve: (() => void) | undefined;
  return {
    wake: () => resolve?.(),
    end: () => {
      isOver = true;
      resolve?.();
    },
    isOver: () => isOver,
    woken: () =>
      new Promise<void>((wake) => {
        resolve = wake;
        if (isOver) wake();
      }),
  };
}

function isPassing(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.Unavailable;
}
