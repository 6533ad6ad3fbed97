import { readFileSync } from "node:fs";
import { Code } from "@connectrpc/connect";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { ErrorDetailSchema, ErrorReason } from "../../gen/signet/v1/error_pb.ts";
import { Failure, type Reason } from "../../src/model/failure.ts";
import { toConnectError } from "../../src/rpc/errors.ts";

const ROW = /^\| `(?<reason>[A-Z_]+)` \| (?<code>[A-Z_]+) \| (?<when>.+) \| (?<what>.+) \|$/gm;

const rows = [...readFileSync("docs/errors.md", "utf8").matchAll(ROW)].map(
  ({ groups = {} }) => groups,
);
const reasons = Object.keys(ErrorReason).filter((name) => name !== "UNSPECIFIED");

describe("docs/errors.md", () => {
  test("explains each reason there is, once, and no other", () => {
    expect(rows.map(({ reason }) => reason).sort()).toEqual([...reasons].sort());
  });

  test.each(reasons)("gives %s the code that it has on the wire", (reason) => {
    const documented = rows.find((row) => row.reason === reason)?.code;

    const error = toConnectError(thrownFor(reason), pino({ enabled: false }));

    const [detail] = error.findDetails(ErrorDetailSchema);
    expect(detail?.reason).toBe(ErrorReason[reason as keyof typeof ErrorReason]);
    expect(documented).toBe(nameOnWire(error.code));
  });
});

/** What the service itself throws; whatever is no Failure is a bug. */
function thrownFor(reason: string): Error {
  return reason === "INTERNAL" ? new Error("a bug") : new Failure(reason.toLowerCase() as Reason);
}

/** `FailedPrecondition` is FAILED_PRECONDITION on the wire. */
function nameOnWire(code: Code): string {
  return Code[code].replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
