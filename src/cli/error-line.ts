import { Code, ConnectError } from "@connectrpc/connect";
import {
  type ErrorDetail,
  ErrorDetailSchema,
  ErrorReasonSchema,
} from "../../gen/signet/v1/error_pb.ts";
import { DEFAULT_URL } from "./connection.ts";
import type { Context } from "./context.ts";
import { flagOf } from "./field-flags.ts";
import { hasKeyForm } from "./key-form.ts";
import { remedyOf } from "./remedies.ts";

/**
 * Says in one line what went wrong, with reason and field where the server gave them.
 *
 * `flags` are those of the command: a field is called as the command has it.
 */
export function describeError(
  error: unknown,
  environment: Context["environment"],
  flags: readonly string[] = [],
): string {
  return oneLine(textOf(error, environment, flags));
}

function textOf(
  error: unknown,
  { SIGNET_URL, SIGNET_KEY }: Context["environment"],
  flags: readonly string[],
): string {
  if (error instanceof ConnectError) {
    const [detail] = error.findDetails(ErrorDetailSchema);
    return detail
      ? describeDetail(error, detail, { flags, key: SIGNET_KEY })
      : describeBareError(error, SIGNET_URL || DEFAULT_URL);
  }
  // One address after the other was tried: the errors say more than their sum.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join("; ");
  return messageOf(error);
}

function describeDetail(
  error: ConnectError,
  detail: ErrorDetail,
  { flags, key }: { readonly flags: readonly string[]; readonly key: string | undefined },
): string {
  const { field, problem, ...others } = detail.metadata;
  const isOfField = field !== undefined && problem !== undefined;
  const flag = isOfField ? flagOf(field, flags) : undefined;
  const text = isOfField ? `${flag ?? field} ${problem}` : error.rawMessage;
  const facts = Object.entries(isOfField ? others : detail.metadata);
  const reason = ErrorReasonSchema.value[detail.reason]?.localName ?? `reason ${detail.reason}`;
  const inBrackets = [
    reason,
    ...(flag && field ? [field] : []),
    ...facts.map(([name, value]) => `${name}: ${value}`),
  ].join(", ");
  const retry = detail.retryDelayMs > 0n ? `try again in ${seconds(detail.retryDelayMs)} s` : "";
  const remedy = remedyOf(detail.reason, hasKeyForm(key?.trim() ?? ""));
  return [`${text} (${inBrackets})`, retry, remedy].filter(Boolean).join("; ");
}

/** Without a detail it did not come from a Signet, or not from the inside of one. */
function describeBareError(error: ConnectError, url: string): string {
  const code = Code[error.code] ?? "";
  const cause = error.rawMessage.replace(/^the connection was lost: /, "");
  if (error.code === Code.Unavailable) return `no Signet answers at ${url}: ${cause}`;
  if (error.code === Code.Unimplemented) {
    return `the Signet at ${url} cannot do this: is it older than this command line?`;
  }
  if (error.rawMessage === "") return `what answers at ${url} is no Signet: correct SIGNET_URL`;
  return `${error.rawMessage} (${code.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase()})`;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || error.name;
}

/** Lines below a line that ends with a colon are a list. */
function oneLine(text: string): string {
  const [first = "", ...others] = text.trim().split(/\s*\n\s*/);
  const line = [first, others.join(first.endsWith(":") ? "; " : " ")].join(" ").trim();
  return line.replace(/\p{Cc}/gu, "\ufffd");
}

function seconds(ms: bigint): number {
  return Math.ceil(Number(ms) / 1_000);
}
