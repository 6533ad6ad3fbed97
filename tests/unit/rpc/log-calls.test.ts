import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { AuthService } from "../../../gen/signet/v1/auth_service_pb.ts";
import { Failure, type Reason } from "../../../src/model/failure.ts";
import { createCallCounts } from "../../../src/rpc/call-counts.ts";
import { failureToConnectError } from "../../../src/rpc/errors.ts";
import { createCallLines } from "../../../src/rpc/log-calls.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const { login, register } = AuthService.method;

/** Ends calls, and returns what the log says of them in the next second. */
function linesOf(calls: readonly (readonly [typeof login | typeof register, Reason])[]) {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: "info" }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const callLines = createCallLines(log, createCallCounts());
  for (const [method, reason] of calls) {
    const call = callLines.begin({ method, requestId: "one", clientAddress: "192.0.2.1" });
    call.write({ kind: "anonymous" }, failureToConnectError(new Failure(reason)));
  }
  vi.advanceTimersByTime(1_000);
  return lines.map(({ rpc, reason, calls: number, msg }) => ({ rpc, reason, calls: number, msg }));
}

test("a flood of refusals is told by one line and a number", () => {
  const flood = Array.from({ length: 1_000 }, () => [login, "overloaded"] as const);

  const rpc = "signet.v1.AuthService/Login";
  expect(linesOf(flood)).toEqual([
    { rpc, reason: "overloaded", calls: undefined, msg: "call" },
    { rpc, reason: "overloaded", calls: 999, msg: "more calls ended alike" },
  ]);
});

test("refusals of another RPC or for another reason have lines of their own", () => {
  const lines = linesOf([
    [login, "overloaded"],
    [login, "rate_limited"],
    [register, "overloaded"],
  ]);

  expect(lines.map(({ msg }) => msg)).toEqual(["call", "call", "call"]);
});

test("every call has its line that was not refused for load", () => {
  expect(linesOf(Array.from({ length: 5 }, () => [login, "login_failed"] as const))).toHaveLength(
    5,
  );
});
