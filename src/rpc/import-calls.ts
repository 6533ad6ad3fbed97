import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  ImportMode,
  ImportOutcome,
  ImportResultSchema,
  type ImportUsersRequest,
  type ImportOptions as OptionsMessage,
  type ImportResult as ResultMessage,
  type UserService,
} from "../../gen/signet/v1/user_service_pb.ts";
import { knownSiteOf } from "../domain/access.ts";
import type { Deps } from "../domain/deps.ts";
import { recordedBatches } from "../domain/import-audit.ts";
import { createHashAdopter } from "../domain/imported-passwords.ts";
import { createNameMemory } from "../domain/name-memory.ts";
import { createTurns } from "../domain/turns.ts";
import { invalidField } from "../model/failure.ts";
import { LIMITS } from "../model/limits.ts";
import { parseText } from "../model/text.ts";
import type { ImportOptions, ImportResult, ReadRow } from "../model/user-import.ts";
import { callerOf } from "./authorize.ts";
import { clientAddressOf } from "./client-address.ts";
import { failureToDetail } from "./errors.ts";
import { type RowRules, readImportRow } from "./import-rows.ts";
import { beginLongCall, type LongCall } from "./long-call.ts";
import type { StreamEnds } from "./stream-ends.ts";
import { createStreamSlots } from "./stream-slots.ts";
import { subscriberName } from "./watch-open.ts";

/** The call that imports Users. */
export function importCalls(
  deps: Deps,
  ends: StreamEnds,
): Pick<ServiceImpl<typeof UserService>, "importUsers"> {
  const turns = createTurns(LIMITS.importTransactionsMax);
  const slots = createStreamSlots({
    eachMax: LIMITS.importsPerCallerMax,
    siteMax: LIMITS.importsPerSiteMax,
    totalMax: LIMITS.importsMax,
    refusal: "too_many_streams",
    retryDelayMs: 1_000,
  });

  return {
    async *importUsers(requests, { values }) {
      const caller = callerOf(values);
      const messages = requests[Symbol.asyncIterator]();
      const asked = await readOptions(messages);
      const siteId = await knownSiteOf(deps.sites, caller, asked.siteId);
      const options = parseOptions(asked);
      const adoptHash = createHashAdopter(deps, caller, siteId, asked.firebase);
      const giveBack = slots.take(siteId, subscriberName(caller, "", clientAddressOf(values)));
      const call = beginLongCall(ends, siteId, caller);
      try {
        const rules = { adoptHash, now: deps.clock.now() };
        const batches = readBatches(messages, rules, call);
        const taken = options.dryRun ? createNameMemory() : undefined;
        const work = { job: { deps, caller, siteId, options, taken }, turns };
        for await (const results of recordedBatches(work, batches)) {
          yield { results: results.map(toResultMessage) };
        }
      } finally {
        call.release();
        giveBack();
      }
    },
  };
}

/** The options stand in the first message. @throws {Failure} `invalid_field` */
async function readOptions(messages: AsyncIterator<ImportUsersRequest>): Promise<OptionsMessage> {
  const { value, done } = await messages.next();
  if (done === true || !value.options) throw invalidField("options", "is required");
  if (value.rows.length > 0) throw invalidField("rows", "must not be in the first message");
  return value.options;
}

function parseOptions({ dryRun, mode, source }: OptionsMessage): ImportOptions {
  const max = LIMITS.nameLengthMax;
  return {
    dryRun,
    mode: parseMode(mode),
    source: parseText(source, "options.source", { max, required: true }),
  };
}

function parseMode(mode: ImportMode): ImportOptions["mode"] {
  switch (mode) {
    case ImportMode.UNSPECIFIED:
    case ImportMode.KEEP:
      return "keep";
    case ImportMode.UPDATE:
      return "update";
    default:
      throw invalidField("options.mode", "must be a mode of imports");
  }
}

/** Reads message after message, as long as the call may go on. */
async function* readBatches(
  messages: AsyncIterator<ImportUsersRequest>,
  rules: RowRules,
  call: LongCall,
): AsyncGenerator<readonly ReadRow[]> {
  let last = 0n;
  for (;;) {
    const { value, done } = await call.race(messages.next());
    if (done === true) return;
    if (value.options) throw invalidField("options", "must be in the first message alone");
    if (value.rows.length > LIMITS.importRowsMax) {
      throw invalidField("rows", `must be at most ${LIMITS.importRowsMax}`);
    }
    for (const { row } of value.rows) {
      if (row <= last) throw invalidField("rows.row", "must be 1 or more, and rise");
      last = row;
    }
    if (value.rows.length > 0) yield value.rows.map((row) => readImportRow(row, rules));
  }
}

const OUTCOME = {
  created: ImportOutcome.CREATED,
  updated: ImportOutcome.UPDATED,
  unchanged: ImportOutcome.UNCHANGED,
  refused: ImportOutcome.REFUSED,
} as const;

function toResultMessage(result: ImportResult): ResultMessage {
  const outcome = OUTCOME[result.outcome];
  const row = BigInt(result.row);
  if (result.outcome === "refused") {
    return create(ImportResultSchema, { row, outcome, error: failureToDetail(result.failure) });
  }
  const { user } = result;
  const named = user && { userId: user.id, version: BigInt(user.version) };
  return create(ImportResultSchema, { row, outcome, ...named });
}
