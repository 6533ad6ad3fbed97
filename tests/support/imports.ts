import type { MessageInitShape } from "@bufbuild/protobuf";
import { ErrorReasonSchema } from "../../gen/signet/v1/error_pb.ts";
import {
  type ImportOptionsSchema,
  ImportOutcomeSchema,
  type ImportResult,
  type ImportRowSchema,
  type PasswordHashSchema,
} from "../../gen/signet/v1/user_service_pb.ts";
import type { Clients } from "./builders.ts";

/** A row of an import without its number. */
export type Row = Omit<MessageInitShape<typeof ImportRowSchema>, "row" | "$typeName">;
/** How to import. */
export type Options = MessageInitShape<typeof ImportOptionsSchema>;

/** What became of a row, in words. */
export interface Outcome {
  readonly outcome: string;
  readonly userId: string;
  readonly version: number;
  /** Why it was refused; empty: it was not. */
  readonly reason: string;
  readonly field: string;
}

/** Imports rows, numbered from 1, in messages of so many. */
export async function importRows(
  { users }: Pick<Clients, "users">,
  rows: readonly Row[],
  options: Options = {},
  perMessage = 200,
): Promise<Outcome[]> {
  async function* messages() {
    yield { options: { source: "test", ...options } };
    for (let n = 0; n < rows.length; n += perMessage) {
      const some = rows.slice(n, n + perMessage);
      yield { rows: some.map((row, m) => ({ ...row, row: BigInt(n + m + 1) })) };
    }
  }
  const results: ImportResult[] = [];
  for await (const message of users.importUsers(messages())) results.push(...message.results);
  const isInOrder = results.every(({ row }, n) => row === BigInt(n + 1));
  if (!isInOrder || results.length !== rows.length) throw new Error("results are not as the rows");
  return results.map(toOutcome);
}

/** A hash that says itself how it was made. */
export function encoded(value: string): MessageInitShape<typeof PasswordHashSchema> {
  return { scheme: { case: "encoded", value } };
}

function toOutcome({ outcome, userId, version, error }: ImportResult): Outcome {
  return {
    outcome: ImportOutcomeSchema.value[outcome]?.localName ?? "",
    userId,
    version: Number(version),
    reason: error ? (ErrorReasonSchema.value[error.reason]?.localName ?? "") : "",
    field: error?.metadata.field ?? "",
  };
}
