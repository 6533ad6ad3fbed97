import { Code, ConnectError } from "@connectrpc/connect";
import {
  type ErrorDetail,
  ErrorDetailSchema,
  ErrorReasonSchema,
} from "../../gen/signet/v1/error_pb.ts";
import { DEFAULT_URL } from "./connection.ts";
import type { Context } from "./context.ts";

/** Says in one line what went wrong, with reason and field where the server gave them. */
export function describeError(error: unknown, environment: Context["environment"]): string {
  return oneLine(textOf(error, environment.SIGNET_URL || DEFAULT_URL));
}

function textOf(error: unknown, url: string): string {
  if (error instanceof ConnectError) {
    const [detail] = error.findDetails(ErrorDetailSchema);
    return detail ? describeDetail(error, detail) : describeBareError(error, url);
  }
  // One address after the other was tried: the errors say more than their sum.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join("; ");
  return messageOf(error);
}

function describeDetail(error: ConnectError, detail: ErrorDetail): string {
  const { field, problem, ...facts } = detail.metadata;
  const text = field && problem ? `${field} ${problem}` : error.rawMessage;
  const named = Object.entries(field && problem ? facts : detail.metadata);
  const reason = ErrorReasonSchema.value[detail.reason]?.localName ?? `reason ${detail.reason}`;
  const inBrackets = [reason, ...named.map(([name, value]) => `${name}: ${value}`)].join(", ");
  const retry = detail.retryDelayMs > 0n ? `; try again in ${seconds(detail.retryDelayMs)} s` : "";
  return `${text} (${inBrackets})${retry}`;
}

/** Without a detail it did not come from a Signet, or not from the inside of one. */
function describeBareError(error: ConnectError, url: string): string {
  const code = Code[error.code] ?? "";
  const cause = error.rawMessage.replace(/^the connection was lost: /, "");
  if (error.code === Code.Unavailable) return `no Signet answers at ${url}: ${cause}`;
  return `${error.rawMessage} (${code.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase()})`;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || error.name;
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ").replace(/\p{Cc}/gu, "\ufffd");
}

function seconds(ms: bigint): number {
  return Math.ceil(Number(ms) / 1_000);
}
