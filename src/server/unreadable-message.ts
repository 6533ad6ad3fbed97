import { base64Decode } from "@bufbuild/protobuf/wire";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { ErrorDetailSchema, ErrorReason } from "../../gen/signet/v1/error_pb.ts";

/** How Connect's errors of a message begin that it cannot read. */
const UNREADABLE = /^(?:parse binary: |received compressed envelope, )/;

/** How they begin where a message is larger than may be. */
const TOO_LARGE =
  /^message (?:size (?:\d+ )?)?is larger than (?:configured readMaxBytes|\d+ bytes)/;

/**
 * In gRPC the text goes into a trailer, percent-encoded. HTTP/2 sends no more than 64 KiB of those,
 * and many clients read no more than 8.
 */
const TEXT_LENGTH_MAX = 500;

/**
 * Turns Connect's error of a message that cannot be read into INVALID_ARGUMENT. Connect calls it
 * INTERNAL, as if the server were at fault. A text that repeats at length what was sent is cut: it
 * would end the connection instead of the call. Of a message that is too large it tells the reason.
 *
 * All is set in the error itself: Connect's adapter writes the very object that it has made.
 */
export function blameSender(error: unknown): void {
  if (!(error instanceof ConnectError)) return;
  shorten(error);
  if (error.code === Code.ResourceExhausted && TOO_LARGE.test(error.rawMessage)) {
    error.details = [{ desc: ErrorDetailSchema, value: { reason: ErrorReason.MESSAGE_TOO_LARGE } }];
  }
  if (error.code !== Code.Internal) return;
  if (UNREADABLE.test(error.rawMessage)) Object.assign(error, { code: Code.InvalidArgument });
}

function shorten(error: ConnectError): void {
  const { rawMessage } = error;
  if (rawMessage.length <= TEXT_LENGTH_MAX) return;
  const cut = rawMessage.slice(0, TEXT_LENGTH_MAX).toWellFormed();
  Object.assign(error, { rawMessage: `${cut}…` });
}

/**
 * Has Connect's adapter do the same in a call: whatever ends it is handed to `abort` of its
 * context before it is written.
 *
 * @throws {ConnectError} INVALID_ARGUMENT for a query that is not base64 although it says so.
 */
export function blameSenderIn(context: HandlerContext): void {
  const { abort } = context as HandlerContext & { abort?: (reason?: unknown) => void };
  if (abort) {
    const abortAndBlame = (reason?: unknown): void => {
      blameSender(reason);
      abort(reason);
    };
    Object.assign(context, { abort: abortAndBlame });
  }
  if (context.requestMethod === "GET") checkQuery(context.url);
}

function checkQuery(url: string): void {
  const { searchParams } = new URL(url);
  if (searchParams.get("base64") !== "1") return;
  try {
    base64Decode(searchParams.get("message") ?? "");
  } catch {
    throw new ConnectError("message is not valid base64", Code.InvalidArgument);
  }
}
