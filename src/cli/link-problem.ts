import { ErrorReasonSchema } from "../../gen/signet/v1/error_pb.ts";
import type { ImportResult } from "../../gen/signet/v1/user_service_pb.ts";

/** Why a row is not linked, and what to do about it. */
export const LINK_PROBLEMS = {
  no_name: "has neither address nor username, so that nobody could sign in",
  duplicate_address: "has the address of another row: keep one of them",
  duplicate_name: "has the username of another row: keep one of them",
  duplicate_id: "has the external id of another row",
  unreadable_hash: "has a hash that Signet cannot read: --unreadable-hashes reset links it without",
  unverified_match: "has the address of a User, and it is not verified on both sides",
  other_person: "has the external id of a User with other names: see --external-id-prefix",
  refused: "is refused by Signet",
  linked_elsewhere: "is the same User as another row",
  changed_meanwhile: "has changed meanwhile: run it again",
} as const;

/** Why a row is not linked. */
export type LinkProblem = keyof typeof LINK_PROBLEMS;

/** Nothing happens to a row. */
export interface Skip {
  readonly kind: "skip";
  readonly problem: LinkProblem;
  /** What is particular to the row; empty: nothing. */
  readonly detail: string;
}

/** Says why Signet has refused a row. */
export function describeRefusal({ error }: ImportResult): string {
  if (!error) return "";
  const { field, problem, ...facts } = error.metadata;
  const reason = ErrorReasonSchema.value[error.reason]?.localName ?? `reason ${error.reason}`;
  const named = Object.entries(facts).map(([name, value]) => `${name}: ${value}`);
  return [...(field ? [`${field} ${problem ?? ""}`.trim()] : []), reason, ...named].join(", ");
}

/** Tells whether it is the hash for which a row was refused. */
export function isAboutHash({ error }: ImportResult): boolean {
  return /password_?hash|firebase|pbkdf2/i.test(error?.metadata.field ?? "");
}
