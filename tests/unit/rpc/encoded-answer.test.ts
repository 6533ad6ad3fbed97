import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ValidateTokenResponseSchema } from "../../../gen/signet/v1/auth_service_pb.ts";
import { encodedAnswer, keepEncoded } from "../../../src/rpc/encoded-answer.ts";

const answer = () =>
  create(ValidateTokenResponseSchema, { result: { case: "invalid", value: { reason: 2 } } });

test("an answer is encoded once, and found by being the very same", () => {
  const kept = keepEncoded(ValidateTokenResponseSchema, answer());

  expect(encodedAnswer(kept)).toEqual(toBinary(ValidateTokenResponseSchema, answer()));
  expect(encodedAnswer(kept)).toBe(encodedAnswer(kept));
  expect(encodedAnswer(answer())).toBeUndefined();
});
