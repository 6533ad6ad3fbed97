import { Code, ConnectError } from "@connectrpc/connect";
import {
  type ErrorDetail,
  ErrorDetailSchema,
  ErrorReason,
} from "../../../gen/signet/v1/error_pb.ts";
import { type Name, nameOf } from "./enum-name.ts";

/** The name of a reason, by which the dictionaries explain it. */
export type ReasonName = Name<typeof ErrorReason>;

/** Finds the reason for which Signet has refused a call. */
export function reasonOf(error: unknown): ErrorReason {
  return detailOf(error)?.reason ?? ErrorReason.UNSPECIFIED;
}

/** Finds what to tell a person about an error. */
export function refusalOf(error: unknown): {
  readonly reason: ReasonName;
  /** Facts, such as the field that is wrong and what is wrong with it. */
  readonly metadata: Readonly<Record<string, string>>;
} {
  const detail = detailOf(error);
  if (detail === undefined && isAway(error)) return { reason: "UNAVAILABLE", metadata: {} };
  const reason = nameOf(ErrorReason, detail?.reason ?? ErrorReason.UNSPECIFIED);
  return { reason, metadata: { ...detail?.metadata } };
}

/** Tells whether a call may be made again as it is. */
export function isTransient(error: unknown): boolean {
  const reason = reasonOf(error);
  return reason === ErrorReason.UNAVAILABLE || reason === ErrorReason.SHUTTING_DOWN;
}

function detailOf(error: unknown): ErrorDetail | undefined {
  return ConnectError.from(error).findDetails(ErrorDetailSchema)[0];
}

/** No answer of Signet's at all: the network, or a proxy in between. */
function isAway(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  return code === Code.Unavailable || code === Code.Unknown || code === Code.DeadlineExceeded;
}
