import { describe, expect, test } from "vitest";
import { boundDeadline } from "../../../src/server/call-deadline.ts";

const BOUNDS = { callTimeoutMsDefault: 20_000, callTimeoutMsMax: 30_000 };
const GRPC = "application/grpc+proto";

describe("the deadline of a unary call", () => {
  test.each([
    [undefined, "20000m"],
    ["5S", "5S"],
    ["30S", "30S"],
    ["31S", "30000m"],
    ["99999999H", "30000m"],
    ["1n", "1n"],
    ["-5S", "-5S"],
    ["soon", "soon"],
  ])("of gRPC, %s, becomes %s", (asked, bounded) => {
    const headers = new Headers({ "content-type": GRPC });
    if (asked !== undefined) headers.set("grpc-timeout", asked);

    boundDeadline(headers, "unary", BOUNDS);

    expect(headers.get("grpc-timeout")).toBe(bounded);
    expect(headers.has("connect-timeout-ms")).toBe(false);
  });

  test.each([
    [undefined, "20000"],
    ["5000", "5000"],
    ["9999999999", "30000"],
    ["-1", "-1"],
    ["1e3", "1e3"],
  ])("of Connect, %s, becomes %s", (asked, bounded) => {
    const headers = new Headers({ "content-type": "application/json" });
    if (asked !== undefined) headers.set("connect-timeout-ms", asked);

    boundDeadline(headers, "unary", BOUNDS);

    expect(headers.get("connect-timeout-ms")).toBe(bounded);
  });
});

describe("the deadline of a stream", () => {
  test("is none if it brings none", () => {
    const headers = new Headers({ "content-type": GRPC });

    boundDeadline(headers, "server_streaming", BOUNDS);

    expect(headers.has("grpc-timeout")).toBe(false);
  });

  test.each([
    [GRPC, "grpc-timeout", "2H", "2H"],
    [GRPC, "grpc-timeout", "99999999H", "2147483S"],
    ["application/connect+proto", "connect-timeout-ms", "9999999999", "2147483647"],
  ])("of %s may be as long as a timer can be", (contentType, name, asked, bounded) => {
    const headers = new Headers({ "content-type": contentType, [name]: asked });

    boundDeadline(headers, "server_streaming", BOUNDS);

    expect(headers.get(name)).toBe(bounded);
  });
});
