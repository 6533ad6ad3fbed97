import { Code, ConnectError } from "@connectrpc/connect";
import { type ErrorDetail, ErrorDetailSchema, ErrorReason } from "../../gen/signet/v1/error_pb.ts";

/**
 * Tells why Signet refused a call; undefined if the error does not come from Signet, such as a
 * lost connection or an exceeded deadline.
 *
 * Programs decide by the reason, never by the message.
 */
export function reasonOf(error: unknown): ErrorReason | undefined {
  const reason = errorDetailOf(error)?.reason;
  return reason === ErrorReason.UNSPECIFIED ? undefined : reason;
}

/** Returns all that Signet says about a refusal: reason, metadata and when to try again. */
export function errorDetailOf(error: unknown): ErrorDetail | undefined {
  return error instanceof ConnectError ? error.findDetails(ErrorDetailSchema)[0] : undefined;
}

/** Returns how long Signet asks to wait before the next try, in milliseconds; 0: not told. */
export function retryDelayMsOf(error: unknown): number {
  return Number(errorDetailOf(error)?.retryDelayMs ?? 0n);
}

/**
 * Turns what connect-node says of a lost connection into UNAVAILABLE, and leaves every other
 * error as it is.
 *
 * Depending on how the connection ended it is CANCELED, ABORTED or INTERNAL, which mean other
 * things in Signet. `cancelled` tells whether the caller has ended the call itself.
 */
export function namingLostConnection(error: unknown, cancelled: boolean): unknown {
  if (cancelled || !(error instanceof ConnectError) || errorDetailOf(error)) return error;
  if (error.code === Code.Unavailable) return error;
  if (error.code !== Code.Canceled && !CONNECTION_ERROR.test(nodeCodeOf(error))) return error;
  const message = `the connection was lost: ${error.rawMessage}`;
  return new ConnectError(message, Code.Unavailable, error.metadata, undefined, error);
}

const CONNECTION_ERROR = /^(ECONN|EPIPE|EHOST|ENET|ETIMEDOUT|ERR_HTTP2_|ERR_STREAM_)/;

function nodeCodeOf(error: ConnectError): string {
  const { cause } = error;
  return cause instanceof Error && "code" in cause ? String(cause.code) : "";
}
