import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { signetServices } from "./signet-services.ts";

/** A field of an answer, however deep in it. */
export interface AnswerField {
  readonly rpc: string;
  readonly field: string;
  /** The full name of its message or enum, or of a scalar the number of its type. */
  readonly type: string;
}

/** Lists every field that any RPC of the contract can answer with. */
export async function fieldsOfAnswers(): Promise<AnswerField[]> {
  const methods = (await signetServices()).flatMap(({ methods }) => methods);
  return methods.flatMap(({ name, output }) =>
    [...fieldsOf(output)].map((field) => ({
      rpc: name,
      field: field.name,
      type: (field.message ?? field.enum)?.typeName ?? `${field.scalar}`,
    })),
  );
}

function fieldsOf(message: DescMessage, seen = new Set<DescMessage>()): readonly DescField[] {
  if (seen.has(message)) return [];
  seen.add(message);
  return message.fields.flatMap((field) => [
    field,
    ...(field.message ? fieldsOf(field.message, seen) : []),
  ]);
}
