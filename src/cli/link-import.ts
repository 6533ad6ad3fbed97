import { setTimeout as sleep } from "node:timers/promises";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  ImportMode,
  type ImportResult,
  type ImportRow,
  ImportRowSchema,
  type ImportUsersRequestSchema,
} from "../../gen/signet/v1/user_service_pb.ts";
import { errorDetailOf, type SignetClient } from "../client/index.ts";

/** What every import of a run says besides its rows. */
export interface ImportTarget {
  readonly siteId: string;
  readonly source: string;
}

/** A row without its number, which is its place among those that are sent. */
export type ImportFields = Omit<MessageInitShape<typeof ImportRowSchema>, "row" | "$typeName">;

type Request = MessageInitShape<typeof ImportUsersRequestSchema>;

/** Bounds of one message: the contract's 200 rows, and what 64 KiB hold with some room. */
const ROWS_MAX = 200;
const BYTES_MAX = 48 * 1_024;

const ATTEMPTS_MAX = 6;
const RETRY_MS_FIRST = 200;

/**
 * Imports rows, or tells with `dryRun` what would become of them; one result for each, in their
 * order. A Signet that is away for some seconds is asked again: a row has one effect.
 */
export async function importRows(
  { users }: Pick<SignetClient, "users">,
  { siteId, source }: ImportTarget,
  rows: readonly ImportFields[],
  { dryRun }: { readonly dryRun: boolean },
): Promise<readonly ImportResult[]> {
  if (rows.length === 0) return [];
  const options = { siteId, source, dryRun, mode: ImportMode.KEEP };
  const numbered = rows.map((row, n) => create(ImportRowSchema, { ...row, row: BigInt(n + 1) }));
  for (let attempt = 1; ; attempt++) {
    try {
      const results: ImportResult[] = [];
      const answers = users.importUsers(requestsOf([{ options }, ...packRows(numbered)]));
      for await (const answer of answers) results.push(...answer.results);
      if (results.length === rows.length) return results;
      throw new ConnectError("the import has ended early", Code.Unavailable);
    } catch (error) {
      if (attempt === ATTEMPTS_MAX || !mayTryAgain(error)) throw error;
      const asked = Number(errorDetailOf(error)?.retryDelayMs ?? 0n);
      await sleep(Math.max(asked, RETRY_MS_FIRST * 2 ** (attempt - 1)));
    }
  }
}

async function* requestsOf(requests: readonly Request[]): AsyncGenerator<Request> {
  yield* requests;
}

function packRows(rows: readonly ImportRow[]): Request[] {
  const packed: { readonly rows: ImportRow[] }[] = [];
  let bytes = 0;
  for (const row of rows) {
    const size = toBinary(ImportRowSchema, row).length + 4;
    const last = packed.at(-1);
    if (last && last.rows.length < ROWS_MAX && bytes + size <= BYTES_MAX) {
      last.rows.push(row);
      bytes += size;
    } else {
      packed.push({ rows: [row] });
      bytes = size;
    }
  }
  return packed;
}

function mayTryAgain(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false;
  return error.code === Code.Unavailable || error.code === Code.ResourceExhausted;
}
