import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { Failure } from "../model/failure.ts";
import { createCallController } from "./call-controller.ts";
import type { OpenCall, OpenCalls } from "./open-calls.ts";

/** A call that was taken on, or refused and only to be answered. */
export interface Admission extends OpenCall {
  readonly refused: ConnectError | undefined;
}

/** What {@link admitCall} needs. */
export interface AdmissionOptions {
  readonly calls: OpenCalls;
  readonly refusal: (failure: Failure) => ConnectError;
}

/** Takes a call on, or notes why not: all calls of all protocols come in here. */
export function admitCall(
  { calls, refusal }: AdmissionOptions,
  kind: DescMethod["methodKind"],
  clientAddress: string,
): Admission {
  try {
    const { controller, release } = calls.open(clientAddress, kind);
    return { controller, release, refused: undefined };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const refused = refusal(error);
    return { controller: createCallController(), release: () => undefined, refused };
  }
}

/** Says why a call ended whose client is gone. */
export function clientLeft(): ConnectError {
  return new ConnectError("the client has left", Code.Canceled);
}
