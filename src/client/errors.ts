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
 * Turns what connect-node says of a lost connection, or of one that TLS did not let come about,
 * into UNAVAILABLE, and leaves every other error as it is.
 *
 * Depending on how the connection ended it is CANCELED, ABORTED or INTERNAL, which mean other
 * things in Signet. `cancelled` tells whether the caller has ended the call itself.
 */
export function namingLostConnection(error: unknown, cancelled: boolean): unknown {
  if (cancelled || !(error instanceof ConnectError) || errorDetailOf(error)) return error;
  if (error.code === Code.Unavailable) return error;
  if (error.code !== Code.Canceled && !isOfConnection(nodeCodeOf(error))) return error;
  const cause = error.cause instanceof Error ? error.cause : error;
  const message = `the connection was lost: ${connectionProblem(cause, error.rawMessage)}`;
  return new ConnectError(message, Code.Unavailable, error.metadata, undefined, error);
}

/** Says what keeps a connection from coming about: as `text` does, where that can be read. */
export function connectionProblem(error: Error, text = error.message): string {
  // OpenSSL names a line of its source then, and not what is wrong.
  const isPlain = "code" in error && error.code === "ERR_SSL_WRONG_VERSION_NUMBER";
  if (isPlain) return "it does not speak TLS: should the address begin with http://?";
  return text.trim();
}

const CONNECTION_ERROR = /^(ECONN|EPIPE|EHOST|ENET|ETIMEDOUT|ERR_HTTP2_|ERR_STREAM_)/;
const TLS_ERROR = /^(ERR_SSL_|ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

function isOfConnection(nodeCode: string): boolean {
  return CONNECTION_ERROR.test(nodeCode) || TLS_ERROR.test(nodeCode);
}

function nodeCodeOf(error: ConnectError): string {
  const { cause } = error;
  return cause instanceof Error && "code" in cause ? String(cause.code) : "";
}
