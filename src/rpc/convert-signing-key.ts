import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { SigningAlgorithm } from "../../gen/signet/v1/site_pb.ts";
import { SigningKeyState } from "../../gen/signet/v1/site_service_pb.ts";
import type { SigningKeyFacts } from "../model/signing-key.ts";
import { optionalTimestamp } from "./convert-session.ts";

const STATE = {
  next: SigningKeyState.NEXT,
  current: SigningKeyState.CURRENT,
  previous: SigningKeyState.PREVIOUS,
  withdrawn: SigningKeyState.WITHDRAWN,
} as const;

/** Translates a signing key, without either half of it. */
export function toSigningKeyMessage(key: SigningKeyFacts) {
  return {
    id: key.id,
    algorithm: SigningAlgorithm[key.algorithm],
    state: STATE[key.state],
    publishTime: timestampFromDate(key.createTime),
    activateTime: optionalTimestamp(key.activateTime),
    retireTime: optionalTimestamp(key.retireTime),
  };
}
