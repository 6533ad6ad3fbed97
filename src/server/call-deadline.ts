import type { DescMethod } from "@bufbuild/protobuf";
import type { EdgeLimits } from "./edge-limits.ts";

type Bounds = Pick<EdgeLimits, "callTimeoutMsDefault" | "callTimeoutMsMax">;

/** `setTimeout` takes no more than this and fires at once for anything longer: 24.8 days. */
const TIMER_MS_MAX = 2 ** 31 - 1;

const GRPC_UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/**
 * Bounds the deadline in the headers of a call.
 *
 * A unary call without a deadline gets the default; one that asks for too much gets the longest,
 * since a gRPC client reads a refusal as a fault of its own. A stream gets what it asks for, if
 * anything. A malformed deadline stays: the protocol answers it with INVALID_ARGUMENT.
 */
export function boundDeadline(
  headers: Headers,
  kind: DescMethod["methodKind"],
  bounds: Bounds,
): void {
  const isGrpc = headers.get("content-type")?.startsWith("application/grpc") === true;
  const name = isGrpc ? "grpc-timeout" : "connect-timeout-ms";
  const asked = headers.get(name);
  const bounded = boundTimeout(asked, { isGrpc, kind, bounds });
  if (bounded !== null && bounded !== asked) headers.set(name, bounded);
}

/** Bounds the text of a deadline, by the same rules; null: none. */
export function boundTimeout(
  asked: string | null,
  { isGrpc, kind, bounds }: TimeoutRules,
): string | null {
  if (asked === null) return kind === "unary" ? format(isGrpc, bounds.callTimeoutMsDefault) : null;
  const longestMs = kind === "unary" ? bounds.callTimeoutMsMax : TIMER_MS_MAX;
  const askedMs = isGrpc ? grpcTimeoutMs(asked) : connectTimeoutMs(asked);
  return askedMs !== undefined && askedMs > longestMs ? format(isGrpc, longestMs) : asked;
}

interface TimeoutRules {
  readonly isGrpc: boolean;
  readonly kind: DescMethod["methodKind"];
  readonly bounds: Bounds;
}

function format(isGrpc: boolean, ms: number): string {
  if (!isGrpc) return String(ms);
  // The value has at most eight digits.
  return ms < 1e8 ? `${ms}m` : `${Math.floor(ms / 1_000)}S`;
}

function grpcTimeoutMs(text: string): number | undefined {
  const [, value, unit] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
  const unitMs = GRPC_UNIT_MS[unit ?? ""];
  return unitMs === undefined ? undefined : Number(value) * unitMs;
}

function connectTimeoutMs(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}
