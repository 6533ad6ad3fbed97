import type { Duplex } from "node:stream";
import { Client, type Submittable } from "pg";

/** A copy of rows from one server to another by COPY, with nothing in between but the bytes. */
export interface TableCopy {
  readonly fromUrl: string;
  /** A `copy … to stdout`. */
  readonly fromStatement: string;
  readonly toUrl: string;
  /** A `copy … from stdin`. */
  readonly toStatement: string;
}

/** Copies, and returns how long that took from the first statement to the end of the second. */
export async function copyTable(copy: TableCopy): Promise<number> {
  const [source, target] = [createClient(copy.fromUrl), createClient(copy.toUrl)];
  try {
    await Promise.all([source.connect(), target.connect()]);
    const beginMs = performance.now();
    await pipe(source, copy.fromStatement, target, copy.toStatement);
    return performance.now() - beginMs;
  } finally {
    await Promise.all([source.end(), target.end()]);
  }
}

function createClient(connectionString: string): Client {
  const client = new Client({ connectionString });
  client.on("error", () => {}); // The statement under way is rejected besides.
  return client;
}

/** What a statement does with the messages of COPY, of which pg makes nothing by itself. */
interface CopyConnection {
  readonly stream: Duplex;
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

async function pipe(
  source: Client,
  fromStatement: string,
  target: Client,
  toStatement: string,
): Promise<void> {
  const sink = createSink(toStatement);
  target.query(sink.statement);
  const into = await sink.ready;
  const outlet = createOutlet(fromStatement, into);
  source.query(outlet.statement);
  await outlet.ended.catch((error: unknown) => {
    into.sendCopyFail(String(error));
    throw error;
  });
  into.endCopyFrom();
  await sink.ended;
}

/** A statement that takes in what is sent on its connection. */
function createSink(text: string) {
  const ready = Promise.withResolvers<CopyConnection>();
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(ready.reject);
  const statement = submittable(text, ended, {
    handleCopyInResponse: (connection: CopyConnection) => ready.resolve(connection),
  });
  return { statement, ready: ready.promise, ended: ended.promise };
}

/** A statement whose rows go to another connection as they come. */
function createOutlet(text: string, into: CopyConnection) {
  const ended = Promise.withResolvers<void>();
  const statement = submittable(text, ended, {
    handleCopyData({ chunk }: { readonly chunk: Buffer }, { stream }: CopyConnection) {
      into.sendCopyFromChunk(chunk);
      if (!into.stream.writableNeedDrain || stream.isPaused()) return;
      stream.pause();
      into.stream.once("drain", () => stream.resume());
    },
  });
  return { statement, ended: ended.promise };
}

function submittable(
  text: string,
  ended: PromiseWithResolvers<void>,
  handlers: object,
): Submittable {
  return {
    submit: (connection: unknown) => (connection as CopyConnection).query(text), // As pg has it.
    handleCommandComplete() {},
    handleReadyForQuery: () => ended.resolve(),
    handleError: (error: Error) => ended.reject(error),
    ...handlers,
  } as Submittable;
}
