import { describe, expect, test } from "vitest";
import { serializeError } from "../../src/log.ts";
import { Failure } from "../../src/model/failure.ts";

describe("serializeError", () => {
  test("leaves out what a database error says of values", () => {
    const error = Object.assign(new Error('invalid input syntax: "hunter2-secret"'), {
      severity: "ERROR",
      code: "22P02",
      constraint: "users_email_key",
      detail: "Key (email)=(ada@example.com) already exists.",
      parameters: ["hunter2-secret"],
    });

    const logged = JSON.stringify(serializeError(error));

    expect(logged).toContain("22P02");
    expect(logged).toContain("users_email_key");
    expect(logged).not.toMatch(/hunter2|ada@example/);
  });

  test("keeps type, reason and place of an error of our own, and its cause", () => {
    const cause = Object.assign(new Error("connect failed"), { code: "ECONNREFUSED" });

    const logged = serializeError(new Failure("unavailable", {}, { cause }));

    expect(logged).toMatchObject({
      type: "Failure",
      reason: "unavailable",
      cause: { message: "connect failed", code: "ECONNREFUSED" },
    });
    expect(logged.stack).toContain("log.test.ts");
  });

  test("says nothing of a thrown value that is no error", () => {
    expect(serializeError("sgn_op_secret")).toEqual({ type: "string" });
  });
});
