import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type ValidateTokenRequest,
  ValidateTokenRequestSchema,
  type ValidateTokenResponse,
  ValidateTokenResponseSchema,
} from "../../gen/signet/v1/auth_service_pb.ts";
import { type TokenClaims, TokenClaimsSchema } from "../../gen/signet/v1/session_pb.ts";

/** What a yardstick server is told to answer with: an answer of Signet, encoded. */
export interface AnswerTemplate {
  readonly answer: Uint8Array;
}

/** Where a yardstick server listens. */
export interface ListeningAt {
  readonly url: string;
}

/** Reads a request, as every server of the call must. @throws if it has no token. */
export function readRequest(bytes: Uint8Array): ValidateTokenRequest {
  const request = fromBinary(ValidateTokenRequestSchema, bytes);
  if (request.token === "") throw new Error("the request has no token");
  return request;
}

/** Makes a maker of new messages equal to the template, as a server makes one for each call. */
export function createAnswerMaker({ answer }: AnswerTemplate): () => ValidateTokenResponse {
  const { result } = fromBinary(ValidateTokenResponseSchema, answer);
  if (result.case !== "valid") throw new Error("the template is not the answer to a good token");
  const { $typeName: _, ...claims } = result.value satisfies TokenClaims;
  return () => {
    const value = create(TokenClaimsSchema, { ...claims });
    return create(ValidateTokenResponseSchema, { result: { case: "valid", value } });
  };
}

/** Encodes the answer of a yardstick server. */
export function encodeAnswer(answer: ValidateTokenResponse): Uint8Array {
  return toBinary(ValidateTokenResponseSchema, answer);
}
